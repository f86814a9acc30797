import type { ProviderAnswer } from '../answers/answer.ts';
import type { WebhookProof } from '../webhooks/webhook-proof.ts';
import type { KeySource } from '../webhooks/key-source.ts';

/** All that the service knows of one provider. The registry lists the descriptors; everything else is derived from them. */
export interface ProviderDescriptor {
  /** The provider's name in paths, rows and metrics: lower-case letters, digits and `-`. */
  name: string;
  /**
   * Reads an answer of the provider's API or the body of its webhook. Takes any JSON and never throws: an answer that it does not
   * understand has no outputs.
   */
  parse: (response: unknown) => ProviderAnswer;
  /** Whether `POST /v1/import/{name}` takes its answers. */
  imports: boolean;
  /** Whether `parse` was written without the provider's documentation or real answers at hand; the API's documentation says so. */
  bestEffort?: boolean;
  /** How long its output URLs work after the job has ended, in milliseconds; omitted when unknown. An expiry in the URL wins. */
  urlLifetimeMs?: number;
  /** The webhooks that it sends, each under a path `/v1/webhooks/{name}`; empty when it sends none. */
  webhooks: readonly WebhookDescriptor[];
}

/** One kind of webhook, with the settings that turn it on. Without them the service refuses the webhook. */
export interface WebhookDescriptor {
  /** Names the path, and the provider of the job and its items. */
  name: string;
  /** The secret that signs the webhook or is part of its URL. With a `key-set` proof it is optional, and required beside the signature. */
  secret: SecretSetting;
  proof: StandardProof | KeySetProof;
}

/** A setting of the service. `docs/configuration.md` lists it with its description. */
export interface Setting {
  name: string;
  description: string;
}

export interface SecretSetting extends Setting {
  /** The setting whose value counts while this one is unset. */
  fallback?: string;
}

/** A shared secret proves the sender. */
export interface StandardProof {
  /**
   * - `signature`: the webhook is signed as Standard Webhooks specifies.
   * - `url-secret`: the provider cannot sign, so its URL has `?secret=`. A webhook that is signed all the same is checked by its signature.
   * - `signature-or-url-secret`: as `url-secret`, for a provider that signs in some of its versions.
   */
  type: 'signature' | 'url-secret' | 'signature-or-url-secret';
}

/** A signature by one of the provider's own keys, which it publishes as a JSON Web Key Set. */
export interface KeySetProof {
  type: 'key-set';
  /** The signature's algorithm, for people. */
  algorithm: string;
  /** The URL of the key set. */
  url: Setting;
  /** The accounts whose webhooks are taken. The provider signs for all of its customers with the same keys. */
  accounts: Setting;
  /** Checks what it can before the body is read: that the signature is there and recent. @throws AppError webhook_refused */
  checkHeaders: (webhook: Pick<WebhookProof, 'headers'>) => void;
  /** @throws AppError webhook_refused, or keys_unavailable when the keys cannot be fetched */
  check: (webhook: WebhookProof, keys: KeySource) => Promise<SignedFor>;
}

/** What a provider's signature covers beside the body. */
export interface SignedFor {
  jobId: string;
  account: string;
}
