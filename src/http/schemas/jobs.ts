import { flatFields } from '../../shapes/item-fields.ts';
import { type Static, Type } from 'typebox';
import {
  component,
  jsonObject,
  nullableInteger,
  nullableString,
  nullableTime,
  ref,
  text,
  requestComponent,
} from '../../shapes/common.ts';
import { MediaItem } from './media.ts';

export const JobParams = Type.Object({
  provider: Type.String({
    pattern: '^[a-z0-9][a-z0-9._-]{0,63}$',
    description: 'Who does the work.',
    examples: ['runpod'],
  }),
  jobId: Type.String({
    minLength: 1,
    maxLength: 500,
    description: "The provider's id of the job.",
    examples: ['9f0c-u1'],
  }),
});

const { status: _status, error: _error, sha256: _sha256, jobId: _jobId, provider: _provider, ...fields } = flatFields;

export const JobRequest = requestComponent(
  'JobRequest',
  {
    ...fields,
    metadata: Type.Optional(jsonObject("The caller's own data, up to 64 KiB and 32 levels.")),
    generation: Type.Optional(jsonObject('How it is made; added to what the provider says.')),
  },
  {
    additionalProperties: false,
    description: 'Owner of the job, and the fields that its items get.',
    examples: [{ userId: 'user-1', toolName: 'text-to-image', prompt: 'a red fox in the snow', tags: ['fox'] }],
  },
);
export type JobRequest = Static<typeof JobRequest>;

const JOB_STATUSES = ['queued', 'running', 'succeeded', 'failed', 'canceled'] as const;

const Job = component(
  'Job',
  {
    provider: text('Who does the work.', 64, { examples: ['runpod'] }),
    jobId: text("The provider's id of the job.", 500, { examples: ['9f0c-u1'] }),
    userId: text('Owner.', 255, { examples: ['user-1'] }),
    status: Type.Enum(JOB_STATUSES, {
      description: 'A later state is never overwritten by an earlier one.',
      examples: ['running'],
    }),
    progress: nullableInteger('In percent.'),
    error: nullableString('What went wrong.'),
    errorClass: nullableString("The provider's name for that kind of error."),
    timings: jsonObject('What the provider tells of times, in its own names and units.'),
    startedAt: nullableTime('When it was first seen at work.'),
    completedAt: nullableTime('When it was known to have ended.'),
    createdAt: Type.String({ format: 'date-time', description: 'When it was registered.' }),
    updatedAt: Type.String({ format: 'date-time', description: 'Last change.' }),
  },
  { description: 'The work at a generating back end.' },
);

const JobPage = component(
  'JobPage',
  {
    items: Type.Array(ref(Job), { description: 'The jobs of this page.' }),
    nextCursor: nullableString('For the next page; null on the last.'),
  },
  { description: 'One page of jobs.' },
);

export const JobsQuery = Type.Object(
  {
    userId: Type.Optional(text('Owner; a user token sees only its own.', 2000, { examples: ['user-1'] })),
    provider: Type.Optional(JobParams.properties.provider),
    status: Type.Optional(Type.Enum(JOB_STATUSES, { description: 'Status.' })),
    limit: Type.Integer({ minimum: 1, maximum: 200, default: 50, description: 'Jobs on a page.' }),
    // It holds the id of a job.
    cursor: Type.Optional(text('`nextCursor` of the page before.', 4000)),
  },
  { additionalProperties: false },
);

const RetriedItems = component(
  'RetriedItems',
  { items: Type.Array(ref(MediaItem), { description: 'What is being fetched again; empty: nothing was missing.' }) },
  { description: 'Items whose bytes are asked for once more.' },
);

export const JobItemsQuery = Type.Object(
  {
    limit: Type.Integer({ minimum: 1, maximum: 200, default: 50, description: 'Items on a page.' }),
    cursor: Type.Optional(Type.String({ maxLength: 1000, description: '`nextCursor` of the page before.' })),
  },
  { additionalProperties: false },
);

export const jobResponse = {
  description: 'The job.',
  content: { 'application/json': { schema: ref(Job) } },
};
export const jobPageResponse = {
  description: 'One page.',
  content: { 'application/json': { schema: ref(JobPage) } },
};
export const retriedResponse = {
  description: 'The items.',
  content: { 'application/json': { schema: ref(RetriedItems) } },
};
