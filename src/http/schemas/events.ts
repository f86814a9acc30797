import { Type } from 'typebox';
import { component, nullableString, ref } from '../../shapes/common.ts';

export const EventsQuery = Type.Object(
  {
    userId: Type.Optional(
      Type.String({
        maxLength: 255,
        description: 'Whose events; a user token hears of its own only, media:admin of all.',
      }),
    ),
    lastEventId: Type.Optional(
      Type.String({ maxLength: 64, description: 'The same as the header `Last-Event-ID`, which counts first.' }),
    ),
  },
  { additionalProperties: false },
);

export const EventsHeaders = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({ maxLength: 64, description: 'The last `id` that was received: the stream goes on behind it.' }),
  ),
});

/** The `data` of an event; not validated when sent, because it is part of a text. */
const MediaEvent = component(
  'MediaEvent',
  {
    type: Type.String({ description: '`item.stored`, `item.failed` or `job.changed`.', examples: ['item.stored'] }),
    userId: Type.String({ description: 'Whose it is.', examples: ['user-1'] }),
    itemId: nullableString('The item, to be looked up.', { examples: ['42'] }),
    provider: nullableString('Who generated.'),
    jobId: nullableString('The job at the provider.'),
    runId: nullableString('The pipeline run.'),
    status: nullableString('Of the item or the job.', { examples: ['success'] }),
    at: Type.String({
      format: 'date-time',
      description: 'When it happened.',
      examples: ['2026-11-21T01:55:37.123456Z'],
    }),
  },
  { description: 'Something that has happened.' },
);

export const eventsResponse = {
  description:
    'Server-sent events. Each has an `id` to resume from and, as `data`, a MediaEvent. `event: reset` says that events were missed which are no longer kept, or that the last id is not one of this service: read what you need anew, and go on.',
  content: {
    'text/event-stream': {
      schema: Type.String({
        contentMediaType: 'text/event-stream',
        contentSchema: ref(MediaEvent),
        examples: [
          'id: 7\nevent: item.stored\ndata: {"type":"item.stored","userId":"user-1","itemId":"42","provider":null,"jobId":null,"runId":null,"status":"success","at":"2026-11-21T01:55:37.123456Z"}\n\n',
        ],
      }),
    },
  },
};
