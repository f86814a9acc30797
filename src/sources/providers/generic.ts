import { readerOf } from '../answers/read-answer.ts';
import type { ProviderDescriptor } from '../description/provider-descriptor.ts';

/**
 * Fields that list outputs, each of which is finished when it is sent; `outputs` is the documented one:
 * `{jobId, status, progress?, error?, prompt?, model?, generation?, outputs: [{url | data | path, filename?, contentType?, generation?}]}`
 */
const LISTS = ['outputs', 'images', 'videos', 'audio', 'files'];

/** The service's own form, for back ends that can choose what they send; and the answers of providers that are not named here. */
export const generic = {
  name: 'generic',
  parse: readerOf({
    id: [
      'jobId',
      'id',
      'job_id',
      'task_id',
      'taskId',
      'run_id',
      'data.task_id',
      'data.taskId',
      'data.object.id',
      'data.id',
      'task.task_id',
      'payload.task.task_id',
      'event_data.video_id',
      'response.id',
      'request_id',
    ],
    whileRunning: LISTS,
    pathNames: ['path', 'key'],
  }),
  imports: true,
  webhooks: [
    {
      name: 'generic',
      secret: {
        name: 'WEBHOOK_SECRET_GENERIC',
        description:
          'Signing key of webhooks in our own form (Standard Webhooks), and of providers that are not named here; those that cannot sign bear it as `?secret=`.',
      },
      proof: { type: 'signature-or-url-secret' },
    },
  ],
} as const satisfies ProviderDescriptor;
