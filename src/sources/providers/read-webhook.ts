import { asObject, nonBlankText } from '../answers/json-access.ts';
import type { Json } from '../../json/json.ts';
import { parseProviderJson } from '../../json/parse-json.ts';
import type { JsonLimits } from '../../json/scan.ts';
import { type ProviderAnswer } from '../answers/answer.ts';
import { providerOfWebhook } from './registry.ts';

/** The content of a webhook. */
export interface Webhook {
  /** The body, with text that PostgreSQL cannot store replaced. */
  body: Json;
  answer: ProviderAnswer;
  /** Ids under which the job may be registered, the provider's own first. */
  jobIds: string[];
  /** The user that the body names. */
  userId: string | undefined;
}

/**
 * @param provider the name of the webhook, as in `POST /v1/webhooks/{provider}`
 * @throws AppError invalid_json, json_too_complex
 */
export async function readWebhook(provider: string, raw: Buffer, limits?: JsonLimits): Promise<Webhook> {
  const body = await parseProviderJson(raw, limits);
  const answer = providerOfWebhook(provider).parse(body);
  const top = asObject(body);
  const places = [top, ...['output', 'input', 'payload', 'metadata'].map((name) => asObject(top[name]))];
  const ids = [answer.id, ...places.flatMap((place) => [nonBlankText(place['job_id']), nonBlankText(place['jobId'])])];
  const users = places.flatMap((place) => [nonBlankText(place['user_id']), nonBlankText(place['userId'])]);
  return {
    body,
    answer,
    jobIds: [...new Set(ids.filter((id) => id !== undefined))],
    userId: users.find((user) => user !== undefined),
  };
}
