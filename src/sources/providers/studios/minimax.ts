import { readerOf } from '../../answers/read-answer.ts';
import type { ProviderDescriptor } from '../../description/provider-descriptor.ts';

/** MiniMax: images, videos, music and speech, and the file that a finished video is. */
export const minimax = {
  name: 'minimax',
  parse: readerOf({
    id: ['task_id', 'id', 'trace_id'],
    state: ['status'],
    facts: { durationMs: ['extra_info.audio_length', 'extra_info.music_duration'], fileId: ['file_id'] },
  }),
  imports: true,
  bestEffort: true,
  urlLifetimeMs: 9 * 60 * 60_000,
  webhooks: [],
} as const satisfies ProviderDescriptor;
