import type { Json } from '../../json/json.ts';
import { parseProviderJson } from '../../json/parse-json.ts';
import type { JsonLimits } from '../../json/scan.ts';
import { type ProviderAnswer, asObject, asText } from './answer.ts';
import { comfyApiAnswer } from './comfyui.ts';
import { falAnswer } from './fal.ts';
import { genericAnswer } from './generic.ts';
import { replicateAnswer } from './replicate.ts';
import { runpodAnswer } from './runpod.ts';

/** Who calls back. `generation` is the handler of an older system, `generic` our own form for anybody else. */
const WEBHOOKS = {
  runpod: runpodAnswer,
  generation: runpodAnswer,
  replicate: replicateAnswer,
  fal: falAnswer,
  'comfyui-api': comfyApiAnswer,
  generic: genericAnswer,
} as const satisfies Record<string, (response: unknown) => ProviderAnswer>;

export type WebhookProvider = keyof typeof WEBHOOKS;
export const WEBHOOK_PROVIDERS = Object.keys(WEBHOOKS) as readonly WebhookProvider[];

/** What a webhook says. */
export interface Webhook {
  /** The body, without what no database could keep exactly. */
  body: Json;
  answer: ProviderAnswer;
  /** Ids under which the job may be registered, the provider's own first. */
  jobIds: string[];
  /** The user that the body names. */
  userId: string | undefined;
}

/** @throws AppError invalid_json, json_too_complex */
export async function readWebhook(provider: string, raw: Buffer, limits?: JsonLimits): Promise<Webhook> {
  const body = await parseProviderJson(raw, limits);
  const answer = WEBHOOKS[provider as WebhookProvider](body);
  const top = asObject(body);
  const places = [top, ...['output', 'input', 'payload', 'metadata'].map((name) => asObject(top[name]))];
  const ids = [answer.id, ...places.flatMap((place) => [asText(place['job_id']), asText(place['jobId'])])];
  const users = places.flatMap((place) => [asText(place['user_id']), asText(place['userId'])]);
  return {
    body,
    answer,
    jobIds: [...new Set(ids.filter((id) => id !== undefined))],
    userId: users.find((user) => user !== undefined),
  };
}
