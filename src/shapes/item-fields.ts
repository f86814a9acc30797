import { type Static, type TOptional, type TSchema, type TUnsafe, Type } from 'typebox';
import {
  CALLER_FIELDS,
  type CallerField,
  type FieldValue,
  type FieldWith,
  ITEM,
  ITEM_FIELDS,
  type ItemField,
  type MediaItem,
} from '../db/item-columns.ts';
import { EXACT_FIELDS } from '../db/search/item-filter.ts';
import type { FilterField } from '../db/item-columns.ts';
import { jsonObject, text } from './common.ts';

/** Texts of the OpenAPI document for a field: in an item, in a request, and as a search parameter. */
interface Texts {
  item: string;
  given?: string;
  filter?: string;
  examples?: readonly unknown[];
  /** Where the input looks different. */
  givenExamples?: readonly unknown[];
}

const MEDIA_TYPES = ['image', 'audio', 'video', 'model'];

const TEXTS: Record<keyof MediaItem, Texts> = {
  id: { item: 'Id of the item.', examples: ['42'] },
  userId: {
    item: 'Who owns the item.',
    given: 'Owner. A user token may leave it out; a service token must give it.',
    filter: 'Owner; a user token sees only its own.',
    examples: ['user-1'],
    givenExamples: ['user-1'],
  },
  username: { item: 'Name of the owner to show.' },
  toolName: {
    item: 'Tool that asked for it; null when none was named.',
    given: 'Tool that asked for it.',
    filter: 'Tool, in any case.',
    examples: ['generateUserImage'],
  },
  prompt: {
    item: 'What was asked for; empty when unknown.',
    given: 'What was asked for.',
    examples: ['a red fox in the snow'],
    givenExamples: ['a red fox in the snow'],
  },
  model: { item: 'Model that made it.', filter: 'Model, in any case.' },
  provider: {
    item: 'Who generated: `openai`, `fal`, `replicate`, …',
    given: 'Who generated.',
    filter: 'Provider, in any case.',
  },
  size: { item: 'Size that was asked for, like `1024x1024`.', given: 'Size that was asked for.' },
  quality: { item: 'Quality that was asked for.' },
  style: { item: 'Style that was asked for.' },
  n: { item: 'How many were asked for.' },
  mediaType: { item: '`image`, `audio`, `video` or `model` (3D).', filter: 'Kind of media.', examples: ['image'] },
  mimeType: { item: 'Type, as told from the bytes.', filter: 'Exact type.', examples: ['image/png'] },
  bytes: { item: 'Size of the file in bytes.' },
  sha256: { item: 'SHA-256 of the file, hexadecimal.', filter: 'SHA-256 of the file, hexadecimal.' },
  width: {
    item: 'In pixels as displayed: cropped and turned as the file says, and with square pixels. Where the file stores another size, `generation` has it as `storedWidth` and `storedHeight`.',
  },
  height: { item: 'In pixels as displayed, like `width`.' },
  durationMs: { item: 'In milliseconds; of an animated picture, one run of it. Null for still pictures.' },
  thumbhash: { item: 'A tiny preview, base64.' },
  filename: {
    item: 'Name of the file as the caller gave it.',
    given: 'Name of the file.',
    givenExamples: ['fox.png'],
  },
  visibility: {
    item: '`private`, or `public`: the bytes need no token.',
    given: 'Default: the setting DEFAULT_VISIBILITY.',
    filter: '`private` or `public`.',
    examples: ['private'],
  },
  storageUrl: { item: 'Permanent URL of the stored object; null when nothing is stored.' },
  storageProvider: {
    item: 'Name of the store; null when nothing is stored.',
    filter: 'Name of the store.',
    examples: ['local'],
  },
  storageKey: { item: 'Key in that store.' },
  tags: {
    item: 'Tags.',
    given: 'Up to 64 tags of up to 64 characters.',
    examples: [['portrait']],
    givenExamples: [['portrait']],
  },
  status: {
    item: '`success`, `pending` or `failed`; rows of an older system may hold others.',
    given: '`failed` records a generation that gave nothing, with `error`.',
    filter: 'Status.',
    examples: ['success'],
  },
  error: { item: 'Why it failed.', given: 'Why the generation failed.' },
  metadata: { item: "The caller's own data." },
  generation: {
    item: 'How it was made: seed, steps, sampler, timings, … What the file says of itself is read out of it; `source` names the tool.',
  },
  messageId: { item: "The caller's message.", filter: 'Message.' },
  requestId: { item: "The caller's request.", filter: 'Request.' },
  jobId: { item: 'Job at the generating back end.', filter: 'Job.' },
  runId: { item: 'Pipeline run.', filter: 'Run.' },
  projectId: { item: 'Project, a UUID.', given: 'Project of the scene.', filter: 'Project.' },
  sceneId: { item: 'Scene of the project.', given: 'Scene; the item becomes its next version.', filter: 'Scene.' },
  version: { item: 'Version in its scene, from 1.' },
  isCurrent: { item: 'Whether it is the current version of its scene.' },
  parentId: { item: 'Item that it was made from.' },
  externalId: { item: 'Id that it had in an older system.', filter: 'Id in an older system.' },
  originalUrl: { item: 'Where it was fetched from; may have expired.', given: 'Where it came from.' },
  generatedAt: { item: 'When it was generated, if that is known.', given: 'When it was generated.' },
  createdAt: { item: 'When it was recorded.', examples: ['2026-11-21T01:55:37.123456Z'] },
  updatedAt: { item: 'When the record last changed.', examples: ['2026-11-21T01:55:37.123456Z'] },
  expiresAt: { item: 'When it may be removed.' },
  deletedAt: { item: 'When it was deleted.' },
};

const exampleOf = (examples: readonly unknown[] | undefined) => (examples ? { examples: [...examples] } : {});

/** Fields that an item always has. */
const ALWAYS = new Set<ItemField>(['updatedAt']);

function shownSchema(field: keyof MediaItem): TSchema {
  const { kind, ...column } = ITEM[field] as (typeof ITEM_FIELDS)[number][1];
  const { item: description, examples } = TEXTS[field];
  if (kind === 'object') return jsonObject(description);
  if (kind === 'tags') return Type.Array(Type.String(), { description, ...exampleOf(examples) });
  const name = { integer: 'integer', size: 'integer', boolean: 'boolean' }[kind as 'integer'] ?? 'string';
  const always = column.required === true && column.emptyIsNull !== true;
  const type = always || ALWAYS.has(field) ? name : [name, 'null'];
  return Type.Unsafe({ type, description, ...(kind === 'time' && { format: 'date-time' }), ...exampleOf(examples) });
}

const SHOWN = ITEM_FIELDS.filter(([, { hidden }]) => hidden !== true).map(([field]) => field as keyof MediaItem);

/** Properties of an item in responses. */
export const itemProperties = {
  ...(Object.fromEntries(SHOWN.slice(0, 1).map((field) => [field, shownSchema(field)])) as Pick<ItemProperties, 'id'>),
  url: Type.Unsafe<string | null>({
    type: ['string', 'null'],
    description: 'Permanent address of the bytes, never signed; null when there are none.',
    examples: ['http://127.0.0.1:8080/v1/media/42/content'],
  }),
  ...(Object.fromEntries(SHOWN.slice(1).map((field) => [field, shownSchema(field)])) as Omit<ItemProperties, 'id'>),
};
type ItemProperties = { [N in keyof MediaItem]: TUnsafe<MediaItem[N]> };

const time = (description: string) => Type.String({ description, maxLength: 40, examples: ['2026-11-21T01:55:37Z'] });

function givenSchema(field: CallerField): TSchema {
  const { kind, values, maxBytes } = ITEM[field] as (typeof ITEM_FIELDS)[number][1];
  const { item, given: description = item, givenExamples: examples } = TEXTS[field];
  // A caller records a success or a failure; `pending` is set by the service only.
  if (field === 'status') return Type.Enum(['success', 'failed'], { description });
  if (values) return Type.Enum([...values], { description });
  if (kind === 'integer') return Type.Integer({ minimum: 0, maximum: 1_000_000, description });
  if (kind === 'uuid') return Type.String({ format: 'uuid', description });
  if (kind === 'id') return Type.String({ pattern: '^[1-9][0-9]{0,18}$', description });
  if (kind === 'time') return time(description);
  if (kind === 'tags')
    return Type.Array(Type.String({ maxLength: 128 }), { maxItems: 64, description, ...exampleOf(examples) });
  return text(description, maxBytes ?? 0, exampleOf(examples));
}

type FlatField = Exclude<CallerField, FieldWith<{ kind: 'object' }>>;

/** An item's fields in a request of any form; without objects, which forms send as text. */
export const flatFields = {
  ...(Object.fromEntries(
    CALLER_FIELDS.filter(([, { kind }]) => kind !== 'object').map(([field]) => [
      field,
      Type.Optional(givenSchema(field)),
    ]),
  ) as { [N in FlatField]: TOptional<TUnsafe<FieldValue<N>>> }),
  subfolder: Type.Optional(text("Folders in the key, below the user's.", 500)),
  store: Type.Optional(text('Name of the store to write to. Default: the primary one.', 40)),
  sha256: Type.Optional(
    Type.String({ pattern: '^[0-9A-Fa-f]{64}$', description: 'SHA-256 of the file, hexadecimal; verified.' }),
  ),
};

function filterSchema(field: FilterField): TSchema {
  const { kind, values, varchar } = ITEM[field] as (typeof ITEM_FIELDS)[number][1];
  const { item, filter: description = item } = TEXTS[field];
  if (field === 'mediaType') return Type.Enum(MEDIA_TYPES, { description });
  if (values) return Type.Enum([...values], { description });
  if (kind === 'uuid') return Type.String({ format: 'uuid', description });
  if (kind === 'sha256') return Type.String({ pattern: '^[0-9A-Fa-f]{64}$', description });
  return text(description, varchar ?? 2000);
}

/** Search parameters for whole values. */
export const filterFields = Object.fromEntries(
  EXACT_FIELDS.map(([field]) => [field, Type.Optional(filterSchema(field))]),
) as { [N in FilterField]: TOptional<TUnsafe<string>> };

export type FlatFields = { [N in keyof typeof flatFields]?: Static<(typeof flatFields)[N]> };
