import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../errors.ts';
import type { WebhookProvider } from '../sources/answers/webhooks.ts';
import {
  type KeySource,
  type WebhookProof,
  checkFalSignature,
  checkSecret,
  checkStandardSignature,
  hasStandardSignature,
} from '../sources/webhook-proof.ts';

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
  /** Whether it may say whose the job is. FAL signs for every account that it has, and so for strangers. */
  namesOwner: boolean;
  /** The job that the signature is about. */
  provenJobId?: string | undefined;
}

interface Address {
  jobId?: string;
  userId?: string;
}

/** These cannot sign, or did not in their older versions. */
const SECRET_IN_ADDRESS = new Set<WebhookProvider>(['runpod', 'generation', 'comfyui-api']);

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
  const { secret } = request.query as { secret?: string };
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
  );
  const proof: WebhookProof = { raw, headers, secret };
  const { jobId = '', userId = '' } = { ...(request.query as Address), ...(request.params as Address) };
  /** What is repeated comes to the same address: equal bodies about two jobs are two deliveries. */
  const keyOf = (what: string | Buffer) =>
    createHash('sha256').update(`${jobId}\0${userId}\0`).update(what).digest('hex');
  const expected = trust.secrets[provider];
  if (provider === 'fal') {
    if (!trust.fal) throw notSet('FAL_JWKS_URL');
    if (expected !== undefined) checkSecret(proof, expected);
    const { requestId, account } = await checkFalSignature(proof, trust.fal);
    if (trust.falAccounts && !trust.falAccounts.includes(account))
      throw new AppError('webhook_refused', 'Webhooks of that FAL account are not taken here (FAL_ACCOUNTS).');
    return {
      deliveryKey: keyOf(raw),
      provenJobId: requestId,
      namesOwner: expected !== undefined || trust.falAccounts !== undefined,
    };
  }
  if (expected === undefined) throw notSet(`WEBHOOK_SECRET_${provider.toUpperCase().replaceAll('-', '_')}`);
  if (!SECRET_IN_ADDRESS.has(provider) || hasStandardSignature(proof))
    return { deliveryKey: keyOf(checkStandardSignature(proof, expected)), namesOwner: true };
  checkSecret(proof, expected);
  return { deliveryKey: keyOf(raw), namesOwner: true };
}

function notSet(setting: string): AppError {
  return new AppError('webhook_refused', `Webhooks of this provider are not taken here: ${setting} is not set.`);
}
