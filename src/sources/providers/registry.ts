import { automatic1111 } from './automatic1111.ts';
import { comfyui } from './comfyui.ts';
import { bfl } from './studios/bfl.ts';
import { luma } from './studios/luma.ts';
import { runway } from './studios/runway.ts';
import { kling } from './studios/kling.ts';
import { leonardo } from './studios/leonardo.ts';
import { ideogram } from './studios/ideogram.ts';
import { together } from './together.ts';
import { fireworks } from './fireworks.ts';
import { xai } from './xai.ts';
import { recraft } from './studios/recraft.ts';
import { minimax } from './studios/minimax.ts';
import type { KeySetProof, ProviderDescriptor, StandardProof } from '../description/provider-descriptor.ts';
import { fal } from './fal.ts';
import { gemini } from './gemini.ts';
import { generic } from './generic.ts';
import { openai } from './openai.ts';
import { replicate } from './replicate.ts';
import { runpod } from './runpod.ts';
import { stability } from './stability.ts';

/** Every provider, in the order in which the API lists them. To add one, append its descriptor. */
export const PROVIDERS = [
  openai,
  fal,
  replicate,
  runpod,
  comfyui,
  gemini,
  stability,
  automatic1111,
  bfl,
  luma,
  runway,
  kling,
  leonardo,
  ideogram,
  together,
  fireworks,
  xai,
  recraft,
  minimax,
  generic,
] as const satisfies readonly ProviderDescriptor[];

type Descriptor = (typeof PROVIDERS)[number];

/** A provider whose answers `POST /v1/import/{provider}` takes. */
export type Provider = Extract<Descriptor, { imports: true }>['name'];
export const IMPORT_PROVIDERS = PROVIDERS.filter((provider) => provider.imports).map(
  ({ name }) => name,
) as readonly Provider[];

/** Providers whose answers are understood as a best effort only. */
export const BEST_EFFORT: readonly string[] = PROVIDERS.filter(({ bestEffort }: ProviderDescriptor) => bestEffort).map(
  ({ name }) => name,
);

/** A webhook of a provider, with its names as literal types. */
export type ProviderWebhook = Descriptor['webhooks'][number];
/** A provider in `POST /v1/webhooks/{provider}`. */
export type WebhookProvider = ProviderWebhook['name'];

/** The published API lists these first; webhooks of other providers follow in the order of the registry. */
const LISTED_FIRST: readonly string[] = ['runpod', 'generation', 'replicate', 'fal'] satisfies WebhookProvider[];
const rank = ({ name }: ProviderWebhook): number =>
  LISTED_FIRST.includes(name) ? LISTED_FIRST.indexOf(name) : LISTED_FIRST.length;

/** Every webhook, in the order in which the API lists them. */
export const WEBHOOKS: readonly ProviderWebhook[] = PROVIDERS.flatMap<ProviderWebhook>(
  (provider) => provider.webhooks,
).toSorted((a, b) => rank(a) - rank(b));
export const WEBHOOK_PROVIDERS: readonly WebhookProvider[] = WEBHOOKS.map(({ name }) => name);

const byName: ReadonlyMap<string, ProviderDescriptor> = new Map(PROVIDERS.map((provider) => [provider.name, provider]));
const byWebhook: ReadonlyMap<string, ProviderDescriptor> = new Map(
  PROVIDERS.flatMap((provider) => provider.webhooks.map(({ name }) => [name, provider] as const)),
);

export function providerOf(name: Provider): ProviderDescriptor {
  const provider = byName.get(name);
  if (!provider) throw new Error(`there is no provider ${name}`);
  return provider;
}

/** Undefined when no provider has that name; an item may name any. */
export function findProvider(name: string): ProviderDescriptor | undefined {
  return byName.get(name);
}

/** @throws Error no provider sends such webhooks */
export function providerOfWebhook(name: string): ProviderDescriptor {
  const provider = byWebhook.get(name);
  if (!provider) throw new Error(`no provider sends webhooks named ${name}`);
  return provider;
}

/** @throws Error no provider sends such webhooks */
export function webhookNamed(name: string): ProviderWebhook {
  const webhook = WEBHOOKS.find((each) => each.name === name);
  if (!webhook) throw new Error(`no provider sends webhooks named ${name}`);
  return webhook;
}

type KeySetWebhook = Extract<ProviderWebhook, { proof: { type: 'key-set' } }>;
/** The setting that lists the accounts of a provider whose webhooks are taken. */
export type AccountSetting = KeySetWebhook['proof']['accounts']['name'];
/** A setting of a provider's webhook. */
export type WebhookSetting = ProviderWebhook['secret']['name'] | KeySetWebhook['proof']['url']['name'] | AccountSetting;

/** Whether the provider signs with keys that it publishes. */
export function hasKeySet(webhook: ProviderWebhook): webhook is KeySetWebhook {
  return webhook.proof.type === 'key-set';
}

export const ACCOUNT_SETTINGS: readonly AccountSetting[] = WEBHOOKS.filter((webhook) => hasKeySet(webhook)).map(
  ({ proof }) => proof.accounts.name,
);

/** The webhooks that are proven in one of these ways, for documentation: `` `a`, `b` ``. */
export function webhooksProvenBy(...types: (StandardProof | KeySetProof)['type'][]): string {
  return WEBHOOKS.filter(({ proof }) => types.includes(proof.type))
    .map(({ name }) => `\`${name}\``)
    .join(', ');
}

/** The webhooks that are signed with keys of the provider, for documentation: `` `a`: Ed25519 ``. */
export function keySetAlgorithms(): string[] {
  return WEBHOOKS.filter((webhook) => hasKeySet(webhook)).map(({ name, proof }) => `\`${name}\`: ${proof.algorithm}`);
}
