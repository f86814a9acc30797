import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../../errors.ts';
import type { WebhookProvider } from '../../sources/answers/webhooks.ts';
import {
  type KeySource,
  type WebhookProof,
  checkFalSignature,
  checkSecret,
  checkStandardSignature,
  falHeaders,
  hasStandardSignature,
  standardHeaders,
} from '../../sources/webhooks/webhook-proof.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whose webhooks come to this route, where its path does not say. */
    webhook?: WebhookProvider;
  }
}

/** By what senders of webhooks are known; those of whom nothing is set are refused. */
export interface WebhookTrust {
  secrets: Readonly<Partial<Record<WebhookProvider, string>>>;
  fal: KeySource | undefined;
  /** The FAL accounts that may call; undefined: any, for FAL signs for all of them. */
  falAccounts: readonly string[] | undefined;
}

/** A webhook whose sender is who it says. */
export interface ProvenSender {
  /** The same for every repetition of a delivery. */
  deliveryKey: string;
  /** Whether its body may name the owner. FAL signs for every account that it has, and so for strangers. */
  namesOwner: boolean;
  /** The job that the signature is about. */
  provenJobId?: string | undefined;
  /** Whether the sender has chosen the URL: a secret in it proves that, and no signature covers it. */
  provesAddress: boolean;
}

interface Address {
  jobId?: string;
  userId?: string;
}

/** These cannot sign, or did not in their older versions. */
const SECRET_IN_ADDRESS = new Set<WebhookProvider>(['runpod', 'generation', 'comfyui-api']);

/**
 * What can be told before a body is read: whether such webhooks are taken at all, the secret of the address, and whether there is a
 * signature that is not too old. Nobody is to have large bodies kept in memory who has not come as far as that.
 * @throws AppError webhook_refused
 */
export function checkBeforeBody(trust: WebhookTrust, provider: WebhookProvider, request: FastifyRequest): boolean {
  const proof = proofOf(request, Buffer.alloc(0));
  const expected = trust.secrets[provider];
  if (provider === 'fal') {
    if (!trust.fal) throw notSet('FAL_JWKS_URL');
    if (expected !== undefined) checkSecret(proof, expected);
    falHeaders(proof);
    return expected !== undefined;
  }
  if (expected === undefined) throw notSet(`WEBHOOK_SECRET_${provider.toUpperCase().replaceAll('-', '_')}`);
  if (!SECRET_IN_ADDRESS.has(provider) || hasStandardSignature(proof)) {
    standardHeaders(proof);
    return false;
  }
  checkSecret(proof, expected);
  return true;
}

/**
 * Proves who sent a webhook.
 * @throws AppError webhook_refused, keys_unavailable
 */
export async function proveSender(
  trust: WebhookTrust,
  provider: WebhookProvider,
  request: FastifyRequest,
  raw: Buffer,
): Promise<ProvenSender> {
  checkBeforeBody(trust, provider, request);
  const proof = proofOf(request, raw);
  const expected = trust.secrets[provider];
  if (provider === 'fal' && trust.fal) {
    const { requestId, account } = await checkFalSignature(proof, trust.fal);
    if (trust.falAccounts && !trust.falAccounts.includes(account))
      throw new AppError('webhook_refused', 'Webhooks of that FAL account are not taken here (FAL_ACCOUNTS).');
    return {
      deliveryKey: keyOf({ jobId: requestId }, raw),
      provenJobId: requestId,
      namesOwner: expected !== undefined || trust.falAccounts !== undefined,
      provesAddress: expected !== undefined,
    };
  }
  if (expected !== undefined && (!SECRET_IN_ADDRESS.has(provider) || hasStandardSignature(proof)))
    // Of what is signed alone: a webhook that is sent again to another URL is the same delivery.
    return {
      deliveryKey: keyOf({}, await checkStandardSignature(proof, expected)),
      namesOwner: true,
      provesAddress: false,
    };
  // A repetition comes to the same URL: equal bodies about two jobs are two deliveries.
  const address = { ...(request.query as Address), ...(request.params as Address) };
  return { deliveryKey: keyOf(address, raw), namesOwner: true, provesAddress: true };
}

function keyOf({ jobId = '', userId = '' }: Address, what: string | Buffer): string {
  return createHash('sha256').update(`${jobId}\0${userId}\0`).update(what).digest('hex');
}

function proofOf(request: FastifyRequest, raw: Buffer): WebhookProof {
  const { secret } = request.query as { secret?: string };
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
  );
  return { raw, headers, secret: typeof secret === 'string' ? secret : undefined };
}

function notSet(setting: string): AppError {
  return new AppError('webhook_refused', `Webhooks of this provider are not taken here: ${setting} is not set.`);
}
