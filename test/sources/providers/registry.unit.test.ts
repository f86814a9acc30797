import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SETTINGS } from '../../../src/config/settings.ts';
import { urlExpiresAt } from '../../../src/sources/fetch/url-expiry.ts';
import type { ProviderDescriptor } from '../../../src/sources/description/provider-descriptor.ts';
import {
  IMPORT_PROVIDERS,
  PROVIDERS,
  WEBHOOKS,
  WEBHOOK_PROVIDERS,
  hasKeySet,
} from '../../../src/sources/providers/registry.ts';

const descriptors: readonly ProviderDescriptor[] = PROVIDERS;
const STATES = ['queued', 'running', 'succeeded', 'failed', 'canceled'];
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';

/** JSON with the field names and the words that providers use, so that a parser gets past its first checks. */
const output = fc.oneof(
  fc.constantFrom(PNG, 'https://cdn.example.com/a.png', '', 'a fox'),
  fc.record({ filename: fc.constant('a.png'), data: fc.constant(PNG) }),
  fc.jsonValue({ maxDepth: 2 }),
);
const answers = fc.oneof(
  fc.jsonValue(),
  fc.record(
    {
      id: fc.constant('job-1'),
      status: fc.constantFrom('COMPLETED', 'FAILED', 'IN_PROGRESS', 'OK', 'ERROR', 'succeeded', 'failed', 'canceled'),
      error: fc.constantFrom('out of memory', '', null),
      output: fc.oneof(output, fc.array(output), fc.record({ images: fc.array(output) })),
      payload: fc.record({ images: fc.array(output) }),
      image: output,
      images: fc.array(output),
      artifacts: fc.array(fc.record({ base64: output })),
      predictions: fc.array(fc.record({ bytesBase64Encoded: output })),
      data: fc.array(fc.record({ b64_json: output, url: output })),
    },
    { requiredKeys: [] },
  ),
);

test('no two providers, webhooks or settings have the same name', () => {
  const names = descriptors.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(new Set(WEBHOOK_PROVIDERS).size).toBe(WEBHOOK_PROVIDERS.length);
  const settings = WEBHOOKS.flatMap((webhook) => [
    webhook.secret.name,
    ...(hasKeySet(webhook) ? [webhook.proof.url.name, webhook.proof.accounts.name] : []),
  ]);
  expect(new Set(settings).size).toBe(settings.length);
});

test.each(descriptors)('$name: its names fit paths, and its settings are settings of the service', (provider) => {
  for (const name of [provider.name, ...provider.webhooks.map((webhook) => webhook.name)])
    expect(name).toMatch(/^[a-z0-9][a-z0-9-]{0,63}$/);
  for (const { secret, proof } of provider.webhooks) {
    expect(SETTINGS.properties).toHaveProperty(secret.name, expect.objectContaining({ secret: true }));
    if (secret.fallback !== undefined) expect(SETTINGS.properties).toHaveProperty(secret.fallback);
    if (proof.type !== 'key-set') continue;
    expect(SETTINGS.properties).toHaveProperty(proof.url.name);
    expect(SETTINGS.properties).toHaveProperty(proof.accounts.name);
  }
});

test.each(descriptors)(
  '$name: any JSON is read as outputs with bytes, a failure with its reason, or a job that has not finished',
  ({ parse }) => {
    fc.assert(
      fc.property(answers, (body) => {
        const { state, outputs, error } = parse(body);
        expect(STATES).toContain(state);
        for (const { from } of outputs) expect(from.length).toBeGreaterThan(0);
        if (error !== undefined) expect(error.message.trim()).not.toBe('');
        const reason = (body as { error?: unknown } | null)?.error;
        if (state === 'failed' && reason === 'out of memory') expect(error).toBeDefined();
      }),
      { numRuns: 100 },
    );
  },
);

test('every provider is reached by an import or a webhook', () => {
  const reached = descriptors.filter(({ imports, webhooks }) => imports || webhooks.length > 0);
  expect(reached).toEqual(descriptors);
  expect(IMPORT_PROVIDERS).toEqual(descriptors.filter(({ imports }) => imports).map(({ name }) => name));
});

test.each(descriptors)('$name: its URLs expire after the lifetime that its descriptor states', (provider) => {
  const since = new Date('2026-01-01T00:00:00Z');
  const expires = urlExpiresAt('https://cdn.example.com/a.png', { provider: provider.name, since });
  expect(expires?.getTime()).toBe(
    provider.urlLifetimeMs === undefined ? undefined : since.getTime() + provider.urlLifetimeMs,
  );
});
