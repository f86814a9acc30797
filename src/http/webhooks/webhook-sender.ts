import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../../errors.ts';
import { type WebhookProvider, hasKeySet, webhookNamed } from '../../sources/providers/registry.ts';
import type { KeySource } from '../../sources/webhooks/key-source.ts';
import {
  checkStandardSignature,
  hasStandardSignature,
  standardHeaders,
} from '../../sources/webhooks/standard-signature.ts';
import { type WebhookProof, checkSecret } from '../../sources/webhooks/webhook-proof.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The provider of this route's webhooks, if its path does not name it. */
    webhook?: WebhookProvider;
  }
}

/** The settings of one kind of webhook. */
export interface SenderTrust {
  secret?: string | undefined;
  /** The provider's own keys, if it signs with such. */
  keys?: KeySource | undefined;
  /** The accounts whose webhooks are accepted; undefined: any. The provider signs for all of its customers. */
  accounts?: readonly string[] | undefined;
}

/** How senders of webhooks are authenticated. A webhook whose settings are unset is refused. */
export type WebhookTrust = Readonly<Partial<Record<WebhookProvider, SenderTrust>>>;

/** The authenticated sender of a webhook. */
export interface ProvenSender {
  /** The same for every repetition of a delivery. */
  deliveryKey: string;
  /** Whether its body may name the owner. A provider that signs for all of its customers also signs for strangers. */
  namesOwner: boolean;
  /** The job that the signature covers. */
  provenJobId?: string | undefined;
  /** Whether the sender is known to have chosen the URL: a secret in the URL proves that, a signature does not cover the URL. */
  provesAddress: boolean;
}

interface Address {
  jobId?: string;
  userId?: string;
}

/**
 * Checks what is possible before the body is read: that such webhooks are configured, the secret in the URL, and that a signature
 * is present and recent. Only webhooks that pass may fill memory with large bodies.
 * @returns whether the secret in the URL has authenticated the sender already
 * @throws AppError webhook_refused
 */
export function checkBeforeBody(trust: WebhookTrust, provider: WebhookProvider, request: FastifyRequest): boolean {
  const proof = proofOf(request, Buffer.alloc(0));
  const webhook = webhookNamed(provider);
  const { secret: expected, keys } = trust[provider] ?? {};
  if (hasKeySet(webhook)) {
    if (!keys) throw notSet(webhook.proof.url.name);
    if (expected !== undefined) checkSecret(proof, expected);
    webhook.proof.checkHeaders(proof);
    return expected !== undefined;
  }
  if (expected === undefined) throw notSet(webhook.secret.name);
  if (webhook.proof.type === 'signature' || hasStandardSignature(proof)) {
    standardHeaders(proof);
    return false;
  }
  checkSecret(proof, expected);
  return true;
}

/**
 * Authenticates the sender of a webhook.
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
  const webhook = webhookNamed(provider);
  const { secret: expected, keys, accounts } = trust[provider] ?? {};
  if (hasKeySet(webhook) && keys) {
    const { jobId, account } = await webhook.proof.check(proof, keys);
    if (accounts && !accounts.includes(account))
      throw new AppError(
        'webhook_refused',
        `Webhooks of that account are not taken here (${webhook.proof.accounts.name}).`,
      );
    return {
      deliveryKey: keyOf({ jobId }, raw),
      provenJobId: jobId,
      namesOwner: expected !== undefined || accounts !== undefined,
      provesAddress: expected !== undefined,
    };
  }
  if (expected !== undefined && (webhook.proof.type === 'signature' || hasStandardSignature(proof)))
    // The key covers only signed data: a webhook repeated to another URL is the same delivery.
    return {
      deliveryKey: keyOf({}, await checkStandardSignature(proof, expected)),
      namesOwner: true,
      provesAddress: false,
    };
  // A repetition comes to the same URL; equal bodies at the URLs of two jobs are two deliveries.
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
