import { type Static, Type } from 'typebox';
import { ItemId, jsonObject, nullableInteger, nullableString, nullableTime, ref } from './common.ts';
import { INGEST_SCHEMAS, flatFields } from './ingest.ts';

/** What an item has on the wire. */
export const itemProperties = {
  id: Type.String({ description: 'Id of the item.', examples: ['42'] }),
  url: nullableString('Permanent address of the bytes, never signed; null when there are none.', {
    examples: ['http://127.0.0.1:8080/v1/media/42/content'],
  }),
  userId: Type.String({ description: 'Who owns the item.', examples: ['user-1'] }),
  username: nullableString('Name of the owner to show.'),
  toolName: Type.String({ description: 'Tool that asked for it.', examples: ['generateUserImage'] }),
  prompt: Type.String({ description: 'What was asked for; empty when unknown.', examples: ['a red fox in the snow'] }),
  model: nullableString('Model that made it.'),
  provider: nullableString('Who generated: `openai`, `fal`, `replicate`, …'),
  size: nullableString('Size that was asked for, like `1024x1024`.'),
  quality: nullableString('Quality that was asked for.'),
  style: nullableString('Style that was asked for.'),
  n: nullableInteger('How many were asked for.'),
  mediaType: Type.String({ description: '`image`, `audio`, `video` or `model` (3D).', examples: ['image'] }),
  mimeType: nullableString('Type, as told from the bytes.', { examples: ['image/png'] }),
  bytes: nullableInteger('Size of the file in bytes.'),
  sha256: nullableString('SHA-256 of the file, hexadecimal.'),
  width: nullableInteger('In pixels.'),
  height: nullableInteger('In pixels.'),
  durationMs: nullableInteger('In milliseconds.'),
  thumbhash: nullableString('A tiny preview, base64.'),
  filename: nullableString('Name of the file as the caller gave it.'),
  visibility: Type.String({ description: '`private`, or `public`: the bytes need no token.', examples: ['private'] }),
  storageUrl: Type.String({ description: 'Address of the stored object; empty when nothing is stored.' }),
  storageProvider: nullableString('Name of the store.', { examples: ['local'] }),
  storageKey: nullableString('Key in that store.'),
  tags: Type.Array(Type.String(), { description: 'Tags.', examples: [['portrait']] }),
  status: Type.String({
    description: '`success`, `pending` or `failed`; rows of an older system may hold others.',
    examples: ['success'],
  }),
  error: nullableString('Why it failed.'),
  metadata: jsonObject("The caller's own data."),
  generation: jsonObject(
    'How it was made: seed, steps, sampler, timings, … What the file says of itself is read out of it; `source` names the tool.',
  ),
  messageId: nullableString("The caller's message."),
  requestId: nullableString("The caller's request."),
  jobId: nullableString('Job at the generating back end.'),
  runId: nullableString('Pipeline run.'),
  projectId: nullableString('Project, a UUID.'),
  sceneId: nullableString('Scene of the project.'),
  version: nullableInteger('Version in its scene, from 1.'),
  isCurrent: Type.Unsafe<boolean | null>({
    type: ['boolean', 'null'],
    description: 'Whether it is the current version of its scene.',
  }),
  parentId: nullableString('Item that it was made from.'),
  externalId: nullableString('Id that it had in an older system.'),
  originalUrl: nullableString('Where it was fetched from; may have expired.'),
  generatedAt: nullableTime('When it was generated, if that is known.'),
  createdAt: Type.String({
    format: 'date-time',
    description: 'When it was recorded.',
    examples: ['2026-11-21T01:55:37.123456Z'],
  }),
  updatedAt: Type.String({
    format: 'date-time',
    description: 'When the record last changed.',
    examples: ['2026-11-21T01:55:37.123456Z'],
  }),
  expiresAt: nullableTime('When it may be removed.'),
  deletedAt: nullableTime('When it was deleted.'),
};

export const MediaItem = Type.Object(itemProperties, {
  $id: 'MediaItem',
  description: 'One stored output of a generative model.',
});

const Location = Type.Object(
  {
    store: Type.String({ description: 'Name of the store.', examples: ['local'] }),
    key: Type.String({ description: 'Key in the store.' }),
    bytes: Type.Integer({ description: 'Size in bytes.' }),
    sha256: nullableString('SHA-256, hexadecimal.'),
    owned: Type.Boolean({ description: 'False: the object is not ours and is never deleted.' }),
    state: Type.String({ description: '`stored`, `pending`, `missing` or `corrupt`.', examples: ['stored'] }),
    verifiedAt: nullableTime('When the bytes were last read and compared.'),
  },
  { $id: 'Location', description: 'Where the bytes of an item lie.' },
);

const ItemDetails = Type.Object(
  {
    ...itemProperties,
    locations: Type.Array(ref(Location), { description: 'Where the bytes lie, the primary one first.' }),
  },
  { $id: 'MediaItemDetails', description: 'An item with its locations.' },
);

const MediaPage = Type.Object(
  {
    items: Type.Array(ref(MediaItem), { description: 'The items of this page.' }),
    nextCursor: nullableString('For the next page; null on the last.'),
    total: Type.Optional(Type.Integer({ description: 'How many there are in all; only with `includeTotal=true`.' })),
  },
  { $id: 'MediaPage', description: 'One page of items.' },
);

export const MediaPatch = Type.Object(
  {
    tags: flatFields.tags,
    metadata: Type.Optional(jsonObject('Replaces the metadata.')),
    prompt: flatFields.prompt,
    visibility: flatFields.visibility,
    expiresAt: Type.Optional(
      Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 40, description: 'Null: never.' }),
    ),
  },
  {
    $id: 'MediaPatch',
    additionalProperties: false,
    minProperties: 1,
    description: 'Each given field replaces the old one.',
  },
);
export type MediaPatch = Static<typeof MediaPatch>;

export const IdParams = Type.Object({ id: ItemId });

export const MEDIA_SCHEMAS = [MediaItem, Location, ItemDetails, MediaPage, ...INGEST_SCHEMAS, MediaPatch];
export const itemAnswer = { description: 'The item.', content: { 'application/json': { schema: ref(MediaItem) } } };
export const itemDetailsAnswer = {
  description: 'The item with its locations.',
  content: { 'application/json': { schema: ref(ItemDetails) } },
};
export const pageAnswer = { description: 'One page.', content: { 'application/json': { schema: ref(MediaPage) } } };
