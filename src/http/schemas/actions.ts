import { Type, type Static } from 'typebox';
import { ACTIONS } from '../../domain/actions/action.ts';
import {
  ItemId,
  NULL_IS_ABSENT,
  ProblemSchema,
  component,
  nullableTime,
  ref,
  requestComponent,
} from '../../shapes/common.ts';
import { SearchQuery } from './search.ts';

const {
  sort: _sort,
  limit: _limit,
  cursor: _cursor,
  includeTotal: _total,
  tagMode,
  metadata: _metadata,
  ...conditions
} = SearchQuery.properties;

const metadata = Type.Optional(
  Type.Unsafe<Record<string, unknown> | string>({
    type: ['object', 'string'],
    additionalProperties: true,
    description: 'JSON that the metadata must contain.',
  }),
);

/** The conditions of a search. A single value stands for a list of one. */
const filterProperties = { ...conditions, tagMode: Type.Optional(tagMode), metadata };
export const ActionFilter = Type.Object(filterProperties, {
  additionalProperties: false,
  [NULL_IS_ABSENT]: Object.keys(filterProperties),
});
export type ActionFilter = Static<typeof ActionFilter>;

export const ActionsRequest = requestComponent(
  'ActionsRequest',
  {
    action: Type.Enum([...ACTIONS], { description: 'What is done to each item.', examples: ['tag'] }),
    ids: Type.Optional(Type.Array(ItemId, { minItems: 1, maxItems: 1000, description: 'The items.' })),
    filter: Type.Optional(
      Type.Unsafe<Record<string, unknown>>({
        type: 'object',
        additionalProperties: true,
        description:
          'In place of `ids`: the parameters of `GET /v1/media` as JSON, without order and paging; `{}` means all. `restore` looks among deleted items.',
        examples: [{ tag: ['draft'], createdBefore: '2026-01-01T00:00:00Z' }],
      }),
    ),
    value: Type.Optional(
      Type.Unsafe<unknown>({
        description: 'A tag or a list of tags for `tag` and `untag`; `private` or `public` for `visibility`.',
        examples: ['approved'],
      }),
    ),
    dryRun: Type.Optional(Type.Boolean({ description: 'Only count the items that match.' })),
  },
  {
    additionalProperties: false,
    description: 'One action on many items.',
    examples: [{ action: 'tag', ids: ['42', '43'], value: 'approved' }],
  },
);
export type ActionsRequest = Static<typeof ActionsRequest>;

const ActionFailure = component(
  'ActionFailure',
  { id: Type.String({ description: 'Id of the item.' }), problem: ref(ProblemSchema) },
  { description: 'An item that is as it was, and why.' },
);

const ActionsOutcome = component(
  'ActionsOutcome',
  {
    matched: Type.Integer({ description: 'Items that match and that the token may change.' }),
    done: Type.Integer({ description: 'Items on which the action was carried out, or that were so already.' }),
    failed: Type.Array(ref(ActionFailure), { description: 'The others.' }),
  },
  { description: 'What became of the items.' },
);

const Task = component(
  'Task',
  {
    id: Type.String({ format: 'uuid', description: 'Id of the task.' }),
    userId: Type.String({ description: 'Who asked for it.' }),
    action: Type.String({ description: 'What is done.' }),
    state: Type.String({ description: '`queued`, `running` or `done`.', examples: ['running'] }),
    matched: Type.Integer({ description: 'Items that matched when it was asked for.' }),
    done: Type.Integer({ description: 'Items on which it was carried out so far.' }),
    failedCount: Type.Integer({ description: 'Items that failed so far.' }),
    failed: Type.Array(
      Type.Object(
        {
          id: Type.String({ description: 'Id of the item.' }),
          code: Type.String({ description: 'Why; see docs/errors.md.' }),
          detail: Type.String({ description: 'Why, in a sentence.' }),
        },
        { description: 'An item that is as it was.' },
      ),
      { description: 'The first hundred of them.' },
    ),
    createdAt: Type.String({ format: 'date-time', description: 'When it was asked for.' }),
    finishedAt: nullableTime('When it ended.'),
  },
  { description: 'Work on many items that goes on after its request was answered.' },
);

const TaskAccepted = component(
  'TaskAccepted',
  { task: ref(Task) },
  { description: 'More items matched than are changed at once: a worker does it.' },
);

export const actionsResponse = {
  description: 'What became of the items.',
  content: { 'application/json': { schema: ref(ActionsOutcome) } },
};
export const taskAccepted = {
  description: 'A worker does it; `Location` tells its progress.',
  headers: { location: { description: 'Path of the task.', type: 'string' } },
  content: { 'application/json': { schema: ref(TaskAccepted) } },
};
export const taskResponse = { description: 'The task.', content: { 'application/json': { schema: ref(Task) } } };
export const TaskParams = Type.Object({ id: Type.String({ format: 'uuid', description: 'Id of the task.' }) });
