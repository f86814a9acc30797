import { asObject, nonBlankText, withoutNulls } from '../answers/json-access.ts';
import { createHash, verify } from 'node:crypto';
import type { JsonObject } from '../../json/json.ts';
import { type AnswerError, errorOf } from '../answers/answer-error.ts';
import { type ProviderAnswer } from '../answers/answer.ts';
import { findOutputs } from '../answers/find-outputs.ts';
import type { KeySource } from '../webhooks/key-source.ts';
import { type WebhookProof, checkRecent, hashInPieces, webhookRefused } from '../webhooks/webhook-proof.ts';
import type { ProviderDescriptor, SignedFor } from './descriptor.ts';

export const fal = {
  name: 'fal',
  parse,
  imports: true,
  webhooks: [
    {
      name: 'fal',
      secret: {
        name: 'WEBHOOK_SECRET_FAL',
        description: 'Secret that FAL webhooks must bear as `?secret=`, in addition to their signature.',
      },
      proof: {
        type: 'key-set',
        algorithm: 'Ed25519',
        url: {
          name: 'FAL_JWKS_URL',
          description:
            'Key set that FAL webhooks are checked with (https://rest.alpha.fal.ai/.well-known/jwks.json). Unset: they are refused.',
        },
        accounts: {
          name: 'FAL_ACCOUNTS',
          description:
            'FAL accounts whose webhooks are taken. Unset: those of any account, since FAL signs all with the same keys; then a webhook may not name its owner (nor with `WEBHOOK_SECRET_FAL` unset), and only registered jobs are carried out.',
        },
        checkHeaders: signatureHeaders,
        check: checkSignature,
      },
    },
  ],
} as const satisfies ProviderDescriptor;

/** Reads a direct answer, or a webhook with the answer as its `payload`. Every URL of a file in it is an output. */
function parse(response: unknown): ProviderAnswer {
  const body = asObject(response);
  const wrapped = body['payload'] !== undefined || body['status'] === 'OK' || body['status'] === 'ERROR';
  const result = wrapped ? asObject(body['payload']) : body;
  // FAL's own clients put the answer into `data`.
  const payload = { ...asObject(result['data']), ...result };
  const failed = body['status'] === 'ERROR';
  const outputs = findOutputs(result, [], detailsOf);
  const error = errorIn(body, failed || outputs.length === 0 ? result['detail'] : undefined);
  return {
    id: nonBlankText(body['request_id']) ?? nonBlankText(payload['request_id']) ?? nonBlankText(payload['requestId']),
    state: failed || (error !== undefined && outputs.length === 0) ? 'failed' : 'succeeded',
    error: failed ? (error ?? { message: 'FAL reported an error without a message' }) : error,
    outputs,
    prompt: nonBlankText(payload['prompt']),
    generation: withoutNulls({
      seed: payload['seed'],
      timings: payload['timings'],
      hasNsfwConcepts: payload['has_nsfw_concepts'],
      gatewayRequestId: body['gateway_request_id'],
    }),
  };
}

/** `error` is terse (`Invalid status code: 422`); the payload's `detail` names the field and its problem. */
function errorIn(body: JsonObject, details: unknown): AnswerError | undefined {
  const said = errorOf(body['error'], body);
  const unsent = errorOf(body['payload_error']);
  const detail = errorOf(details);
  if (!detail && !said) return unsent && { ...unsent, class: unsent.class ?? 'payload_error' };
  const status = /status code:? (\d{3})\b/i.exec(said?.message ?? '')?.[1];
  const messages = [said?.message, detail?.message].filter((message) => message !== undefined);
  return { class: detail?.class ?? said?.class ?? status, message: [...new Set(messages)].join(': ') };
}

function detailsOf({ duration, fps, num_frames: frames }: JsonObject): { generation: JsonObject } {
  return { generation: withoutNulls({ duration, fps, frames }) };
}

/** The four headers of a signature that is recent. @throws AppError webhook_refused */
function signatureHeaders({ headers }: Pick<WebhookProof, 'headers'>) {
  const [requestId, account, timestamp, signature] = ['request-id', 'user-id', 'timestamp', 'signature'].map(
    (name) => headers[`x-fal-webhook-${name}`],
  );
  if (requestId === undefined || account === undefined || timestamp === undefined || signature === undefined)
    throw webhookRefused(
      'The webhook lacks one of the headers x-fal-webhook-request-id, -user-id, -timestamp, -signature.',
    );
  checkRecent(timestamp);
  if (!/^[0-9a-f]{128}$/i.test(signature))
    throw webhookRefused('x-fal-webhook-signature is not the hexadecimal of 64 bytes.');
  return { requestId, account, timestamp, signature };
}

/** FAL signs request id, user id, timestamp and the body's SHA-256, one a line, with Ed25519 and one of the keys of its key set. */
async function checkSignature({ raw, headers }: WebhookProof, source: KeySource): Promise<SignedFor> {
  const { requestId, account, timestamp, signature } = signatureHeaders({ headers });
  const hash = createHash('sha256');
  await hashInPieces([hash], raw);
  const message = Buffer.from([requestId, account, timestamp, hash.digest('hex')].join('\n'));
  const bytes = Buffer.from(signature, 'hex');
  for (const fresh of [false, true]) {
    const keys = await source.keys(fresh);
    if (keys.some((key) => verify(null, message, key, bytes))) return { jobId: requestId, account };
  }
  throw webhookRefused('The signature of the webhook was refused: it was altered, or signed with another key.');
}
