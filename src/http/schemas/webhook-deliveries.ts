import { type Static, Type } from 'typebox';
import { component, nullableInteger, nullableString, ref, text, requestComponent } from '../../shapes/common.ts';
import { JobParams } from './jobs.ts';

export const ParkedQuery = Type.Object(
  {
    state: Type.Enum(['parked'], { default: 'parked', description: 'Only parked webhooks are listed.' }),
    provider: Type.Optional(JobParams.properties.provider),
    jobId: Type.Optional(JobParams.properties.jobId),
    limit: Type.Integer({ minimum: 1, maximum: 200, default: 50, description: 'Webhooks on a page.' }),
    cursor: Type.Optional(text('`nextCursor` of the page before.', 2000)),
  },
  { additionalProperties: false },
);

export const DeliveryParams = Type.Object({
  id: Type.String({ pattern: '^[1-9][0-9]{0,18}$', description: 'Id of the parked webhook.', examples: ['17'] }),
});

export const ReleaseRequest = requestComponent(
  'ReleaseRequest',
  {
    userId: Type.String({
      minLength: 1,
      maxLength: 255,
      description: 'The user who gets the job and its outputs.',
      examples: ['user-1'],
    }),
  },
  {
    additionalProperties: false,
    description: 'For whom a parked webhook is carried out.',
    examples: [{ userId: 'user-1' }],
  },
);
export type ReleaseRequest = Static<typeof ReleaseRequest>;

const time = (description: string) => Type.String({ format: 'date-time', description });
const ParkedWebhook = component(
  'ParkedWebhook',
  {
    id: Type.String({ description: 'Id of the parked webhook.', examples: ['17'] }),
    provider: text('Who sent it.', 64, { examples: ['runpod'] }),
    jobId: text('The job that it is about.', 500, { examples: ['9f0c-u1'] }),
    state: Type.Literal('parked', { description: 'Always `parked`.' }),
    reason: Type.Enum(['no_owner', 'other_owner'], {
      description:
        '`no_owner`: it names no user, and its job was not registered; `other_owner`: its job is registered to another user than the one it names, or it names jobs of several users.',
      examples: ['other_owner'],
    }),
    namedUserId: nullableString('The user that it names.', { examples: ['user-1'] }),
    registeredUserId: nullableString('The user to whom its job is registered now.', { examples: ['user-2'] }),
    bytes: nullableInteger('Size of its body; null when that was not recorded.'),
    receivedAt: time('When it arrived.'),
    expiresAt: time('When it is deleted, unless it is carried out before.'),
  },
  { description: 'A webhook that waits for its owner. Its body is never shown.' },
);

const ParkedWebhooks = component(
  'ParkedWebhooks',
  {
    items: Type.Array(ref(ParkedWebhook), { description: 'Newest first.' }),
    nextCursor: nullableString('Where the next page begins; null on the last page.'),
  },
  { description: 'Parked webhooks, page by page.' },
);

export const parkedResponse = {
  description: 'The parked webhooks.',
  content: { 'application/json': { schema: ref(ParkedWebhooks) } },
};
