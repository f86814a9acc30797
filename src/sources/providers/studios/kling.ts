import { errorIn } from '../../answers/failure.ts';
import { nonBlankText } from '../../answers/json-access.ts';
import { readerOf } from '../../answers/read-answer.ts';
import type { ProviderDescriptor } from '../../description/provider-descriptor.ts';

/** Kling: a task, as it is asked for or as a callback brings it. */
export const kling = {
  name: 'kling',
  parse: readerOf({
    id: ['data.task_id', 'task_id'],
    state: ['data.task_status', 'task_status'],
    error: (body, failed) => {
      const { code, message } = body;
      const refused = typeof code === 'number' && code !== 0;
      return refused
        ? { class: String(code), message: nonBlankText(message) ?? `the request was refused (${code})` }
        : errorIn(body, failed);
    },
    facts: { cost: ['data.final_unit_deduction'] },
  }),
  imports: true,
  bestEffort: true,
  urlLifetimeMs: 30 * 24 * 60 * 60_000,
  webhooks: [],
} as const satisfies ProviderDescriptor;
