import { type Static, Type } from 'typebox';
import { component, nullableInteger, nullableNumber, ref, text } from '../../shapes/common.ts';
import { filterFields } from '../../shapes/item-fields.ts';

const exact = (description: string, maxLength = 2000) => Type.Optional(text(description, maxLength));
const time = (description: string) =>
  Type.Optional(Type.String({ description, maxLength: 40, examples: ['2026-11-01T00:00:00Z'] }));

const none = (description: string, maxLength: number) =>
  Type.Optional(Type.Array(Type.String({ maxLength }), { maxItems: 64, description }));

/** Values of `sort`. */
const SORTS = ['createdAt', 'generatedAt', 'bytes'].flatMap((field) => [`${field}:desc`, `${field}:asc`]);

export const SearchQuery = Type.Object(
  {
    ...filterFields,
    seed: exact('Seed, as in `generation.seed`, also as read out of the file.', 100),
    sampler: exact('Sampler, as in `generation.sampler`, in any case.', 200),
    tag: Type.Optional(
      Type.Array(Type.String({ maxLength: 128 }), {
        maxItems: 64,
        description: 'Tags; repeat the parameter for several.',
        examples: [['portrait']],
      }),
    ),
    tags: Type.Optional(
      Type.Array(Type.String({ maxLength: 8500 }), {
        maxItems: 64,
        description:
          'Tags, separated by commas; repeatable. Added to those in `tag`, which also takes tags that contain a comma.',
        examples: [['portrait,studio']],
      }),
    ),
    notTag: none('Tags that an item must not have; repeatable.', 128),
    notModel: none('Models that did not make it, in any case; repeatable.', 2000),
    notToolName: none('Tools that did not ask for it, in any case; repeatable.', 255),
    deleted: Type.Optional(
      Type.Enum(['only', 'include'], {
        description: '`only` finds deleted items, `include` these and the others; left out: the others alone.',
      }),
    ),
    tagMode: Type.Enum(['all', 'any'], {
      default: 'all',
      description: 'Whether an item must have all tags, or any of them.',
    }),
    metadata: Type.Optional(
      text('JSON that the metadata must contain.', 4000, { examples: ['{"campaign":"winter"}'] }),
    ),
    q: Type.Optional(
      text(
        'Words to look for in prompt, negative prompt, file name, model, tool, tags, sampler and seed; all of them must be there. Case, accents and width do not matter; `red-fox` is two words. "phrases", `or`, `-not` and `begin*` work. Of scripts without spaces any part of a text is found.',
        500,
        {
          minLength: 1,
          examples: ['red fox'],
        },
      ),
    ),
    createdAfter: time('Recorded later than this.'),
    createdBefore: time('Recorded earlier than this.'),
    sort: Type.Enum(SORTS, {
      default: 'createdAt:desc',
      description:
        'By the time of recording, the time of generation (where unknown: of recording) or the size (where unknown: 0), falling or rising.',
    }),
    limit: Type.Integer({ minimum: 1, maximum: 200, default: 50, description: 'Items on a page.' }),
    cursor: Type.Optional(text('`nextCursor` of the page before.', 2000)),
    includeTotal: Type.Boolean({ default: false, description: 'Count all items; reads every one of them.' }),
  },
  { additionalProperties: false },
);
export type SearchQuery = Static<typeof SearchQuery>;

export const TagQuery = Type.Object(
  {
    prefix: text('How the tags begin; matched literally.', 64, { default: '' }),
    userId: exact('Owner; a user token sees only its own.'),
    limit: Type.Integer({ minimum: 1, maximum: 1000, default: 100, description: 'Tags at most.' }),
  },
  { additionalProperties: false },
);

export const StatsQuery = Type.Object(
  { userId: exact('Owner; a user token sees only its own.') },
  { additionalProperties: false },
);

const TagCount = component(
  'TagCount',
  {
    tag: Type.String({ description: 'The tag.', examples: ['portrait'] }),
    count: Type.Integer({ description: 'Items that bear it.', examples: [12] }),
  },
  { description: 'A tag and how often it is used.' },
);
const behind = Type.Integer({
  description:
    "Changes of items, anybody's, that are not counted yet: 0 when the counts are exact, 10000 for that many or more.",
  minimum: 0,
  maximum: 10_000,
});
const TagCounts = component(
  'TagCounts',
  { tags: Type.Array(ref(TagCount), { description: 'Most frequent first.' }), behind },
  { description: 'Tags with counts.' },
);

const Count = component(
  'Count',
  {
    name: Type.String({ description: 'What is counted.', examples: ['generateUserImage'] }),
    count: Type.Integer({ description: 'Items.', examples: [12] }),
  },
  { description: 'A name and its number of items.' },
);
const counts = (description: string) => Type.Array(ref(Count), { description });
const total = (description: string) => Type.Integer({ description, minimum: 0 });
const Stats = component(
  'Stats',
  {
    total: total('Items.'),
    uniqueUsers: total('Users that own one.'),
    succeeded: total('Status `success`.'),
    pending: total('Status `pending`.'),
    failed: total('Any other status.'),
    totalBytes: total('Bytes of all items.'),
    averageBytes: nullableInteger('Bytes of an item on average; null when there is none.'),
    atRisk: total('Items with an original URL only, which will die.'),
    outsideDatabaseRatio: nullableNumber('Part of the stored items whose bytes are not in the database, from 0 to 1.'),
    byTool: counts('The 50 most frequent tools.'),
    byModel: counts('The 50 most frequent models.'),
    byProvider: counts('The 50 most frequent providers.'),
    byDay: counts('The last 90 days (UTC), newest first.'),
    behind,
  },
  { description: 'Totals of one user, or of all.' },
);

export const tagsResponse = {
  description: 'Tags with counts.',
  content: { 'application/json': { schema: ref(TagCounts) } },
};
export const statsResponse = { description: 'The totals.', content: { 'application/json': { schema: ref(Stats) } } };
