import type { JsonObject } from '../../../json/json.ts';
import type { AnswerError } from '../../answers/answer-error.ts';
import { errorIn } from '../../answers/failure.ts';
import { textAt } from '../../answers/paths.ts';
import { readerOf } from '../../answers/read-answer.ts';
import type { ProviderDescriptor } from '../../description/provider-descriptor.ts';

/** MiniMax: images, videos, music and speech, and the file that a finished video is. */
export const minimax = {
  name: 'minimax',
  parse: readerOf({
    id: ['task_id', 'id', 'trace_id'],
    state: ['status', 'data.status'],
    // Of sound that is sent in pieces.
    states: { 1: 'running', 2: 'succeeded' },
    error: (body, failed) => errorIn(body, failed) ?? someFailed(body),
    facts: { durationMs: ['extra_info.audio_length', 'extra_info.music_duration'], fileId: ['file_id'] },
  }),
  imports: true,
  bestEffort: true,
  urlLifetimeMs: 9 * 60 * 60_000,
  webhooks: [],
} as const satisfies ProviderDescriptor;

/** Of several images, some may be refused without a reason. */
function someFailed(body: JsonObject): AnswerError | undefined {
  const count = textAt(body, ['metadata.failed_count']);
  return count === undefined || Number(count) === 0
    ? undefined
    : { class: 'failed_count', message: `the provider refused ${count} of the images, without a reason` };
}
