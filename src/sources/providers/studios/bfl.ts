import { readerOf } from '../../answers/read-answer.ts';
import type { ProviderDescriptor } from '../../description/provider-descriptor.ts';

/** Black Forest Labs: what `get_result` answers, or a webhook brings. */
export const bfl = {
  name: 'bfl',
  parse: readerOf({
    id: ['id', 'task_id'],
    state: ['status'],
    prompt: ['result.prompt'],
    facts: { seed: ['result.seed'], duration: ['result.duration'], cost: ['cost'] },
  }),
  imports: true,
  bestEffort: true,
  urlLifetimeMs: 10 * 60_000,
  webhooks: [],
} as const satisfies ProviderDescriptor;
