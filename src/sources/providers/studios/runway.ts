import { readerOf } from '../../answers/read-answer.ts';
import type { ProviderDescriptor } from '../../description/provider-descriptor.ts';

/** Runway: a task. */
export const runway = {
  name: 'runway',
  parse: readerOf({
    id: ['id'],
    state: ['status'],
    anyNameIn: ['output'],
    facts: { startedAt: ['createdAt'] },
  }),
  imports: true,
  bestEffort: true,
  urlLifetimeMs: 24 * 60 * 60_000,
  webhooks: [],
} as const satisfies ProviderDescriptor;
