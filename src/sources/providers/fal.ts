import { asObject } from '../answers/json-access.ts';
import { createHash, verify } from 'node:crypto';
import type { JsonObject } from '../../json/json.ts';
import { type AnswerError, errorOf } from '../answers/answer-error.ts';
import { readerOf } from '../answers/read-answer.ts';
import type { KeySource } from '../webhooks/key-source.ts';
import { type WebhookProof, checkRecent, hashInPieces, webhookRefused } from '../webhooks/webhook-proof.ts';
import type { ProviderDescriptor, SignedFor } from '../description/provider-descriptor.ts';

export const fal = {
  name: 'fal',
  parse: readerOf({
    id: ['request_id', 'payload.request_id', 'requestId', 'payload.requestId'],
    state: ['status'],
    stateless: 'succeeded',
    error: errorIn,
    facts: {
      hasNsfwConcepts: ['payload.has_nsfw_concepts', 'has_nsfw_concepts', 'data.has_nsfw_concepts'],
      gatewayRequestId: ['gateway_request_id'],
    },
  }),
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

/** `error` is terse (`Invalid status code: 422`); the payload's `detail` names the field and its problem. */
function errorIn(body: JsonObject, failed: boolean): AnswerError | undefined {
  const payload = asObject(body['payload']);
  const said = errorOf(body['error'], body);
  const unsent = errorOf(body['payload_error']);
  const detail = errorOf(payload['detail'] ?? body['detail']) ?? (failed ? errorOf(payload['error']) : undefined);
  if (!detail && !said) return unsent && { ...unsent, class: unsent.class ?? 'payload_error' };
  const status = /status code:? (\d{3})\b/i.exec(said?.message ?? '')?.[1];
  const messages = [said?.message, detail?.message].filter((message) => message !== undefined);
  return { class: detail?.class ?? said?.class ?? status, message: [...new Set(messages)].join(': ') };
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
