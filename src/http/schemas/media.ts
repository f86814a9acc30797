import { type Static, Type } from 'typebox';
import {
  component,
  ItemId,
  NULL_IS,
  jsonObject,
  nullableString,
  nullableTime,
  ref,
  requestComponent,
} from '../../shapes/common.ts';
import { ITEM } from '../../db/item-columns.ts';
import { flatFields, itemProperties } from '../../shapes/item-fields.ts';

export const MediaItem = component('MediaItem', itemProperties, {
  description: 'One stored output of a generative model.',
});

const Location = component(
  'Location',
  {
    store: Type.String({ description: 'Name of the store.', examples: ['local'] }),
    key: Type.String({ description: 'Key in the store.' }),
    bytes: Type.Integer({ description: 'Size in bytes.' }),
    sha256: nullableString('SHA-256, hexadecimal.'),
    owned: Type.Boolean({ description: 'False: the object is not ours and is never deleted.' }),
    state: Type.String({ description: '`stored`, `pending`, `missing` or `corrupt`.', examples: ['stored'] }),
    verifiedAt: nullableTime('When the bytes were last read and compared.'),
  },
  { description: 'Where the bytes of an item lie.' },
);

const ItemDetails = component(
  'MediaItemDetails',
  {
    ...itemProperties,
    locations: Type.Array(ref(Location), { description: 'Where the bytes lie, the primary one first.' }),
  },
  { description: 'An item with its locations.' },
);

const MediaPage = component(
  'MediaPage',
  {
    items: Type.Array(ref(MediaItem), { description: 'The items of this page.' }),
    nextCursor: nullableString('For the next page; null on the last.'),
    total: Type.Optional(Type.Integer({ description: 'How many there are in all; only with `includeTotal=true`.' })),
  },
  { description: 'One page of items.' },
);

export const MediaPatch = requestComponent(
  'MediaPatch',
  {
    tags: flatFields.tags,
    metadata: Type.Optional(jsonObject('Replaces the metadata.')),
    prompt: Type.Optional(nullableString('Replaces the prompt.', { maxLength: ITEM.prompt.maxBytes })),
    filename: Type.Optional(nullableString('Replaces the name of the file.', { maxLength: ITEM.filename.maxBytes })),
    visibility: flatFields.visibility,
    expiresAt: Type.Optional(
      Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 40, description: 'Null: never.' }),
    ),
  },
  {
    additionalProperties: false,
    minProperties: 1,
    [NULL_IS]: { tags: [], metadata: {} },
    description: 'Each given field replaces the old one; null clears it, where it may be empty.',
  },
);
export type MediaPatch = Static<typeof MediaPatch>;

export const IdParams = Type.Object({ id: ItemId });

export const itemResponse = { description: 'The item.', content: { 'application/json': { schema: ref(MediaItem) } } };
export const itemDetailsResponse = {
  description: 'The item with its locations.',
  content: { 'application/json': { schema: ref(ItemDetails) } },
};
export const pageResponse = { description: 'One page.', content: { 'application/json': { schema: ref(MediaPage) } } };
