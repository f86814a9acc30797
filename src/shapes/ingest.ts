import { type Static, Type } from 'typebox';
import { AppError } from '../errors.ts';
import { component, jsonObject, ref, text, requestComponent } from './common.ts';
import { flatFields } from './item-fields.ts';

/** JSON as text, for forms, which have only texts. */
const jsonText = (description: string) =>
  Type.Optional(Type.String({ description, maxLength: 200_000, examples: ['{"campaign":"winter"}'] }));

export const IngestFields = Type.Object(
  {
    ...flatFields,
    metadata: jsonText("The caller's own data: a JSON object."),
    generation: jsonText('How it was made: a JSON object.'),
  },
  { additionalProperties: false },
);
export type IngestFields = Static<typeof IngestFields>;

export const IngestFormSchema = component(
  'IngestForm',
  {
    ...IngestFields.properties,
    file: Type.Unsafe<string>({
      type: 'string',
      format: 'binary',
      description: 'The file. `userId`, `subfolder`, `filename` must come before it.',
    }),
  },
  { required: ['file'], description: 'One part `file`, the others are fields. An empty field counts as left out.' },
);

const source = <T extends string>(type: T) => Type.Literal(type, { description: 'Kind of the source.' });

export const Base64Source = requestComponent(
  'Base64Source',
  {
    type: source('base64'),
    data: Type.String({ minLength: 1, description: 'Base64, or a data URI.', examples: ['iVBORw0KGgo='] }),
  },
  { additionalProperties: false, description: 'The bytes themselves.' },
);
export const UrlSource = requestComponent(
  'UrlSource',
  {
    type: source('url'),
    url: Type.String({
      minLength: 1,
      maxLength: 2000,
      description: 'https address to fetch from.',
      examples: ['https://cdn.example.com/out.png'],
    }),
  },
  { additionalProperties: false, description: 'A URL that is fetched at once.' },
);
export const ObjectSource = requestComponent(
  'ObjectSource',
  {
    type: source('object'),
    store: Type.String({ minLength: 1, maxLength: 40, description: 'Name of the store.' }),
    key: Type.String({ minLength: 1, maxLength: 1000, description: 'Key of the object.' }),
  },
  {
    additionalProperties: false,
    description: 'An object that is in a store already; it is not deleted with the item. Needs media:admin.',
  },
);
/** What is known of bytes that lie elsewhere; nothing of it is verified. */
const recorded = {
  mimeType: text('Type of the file, if it is known.', 50, { examples: ['image/png'] }),
  bytes: Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    description: 'Size of the file, if it is known.',
    examples: [524_288],
  }),
};
const storageUrl = { maxLength: 2000, description: 'Where the bytes lie.' };
const HTTP_URL = '^https?://[^\\s\\\\]+$';
const storageProvider = Type.String({
  minLength: 1,
  maxLength: 50,
  description: 'Who keeps them.',
  examples: ['cdn'],
});

export const ExternalSource = requestComponent(
  'ExternalSource',
  {
    type: source('external'),
    storageUrl: Type.String({ ...storageUrl, pattern: HTTP_URL, examples: ['https://cdn.example.com/out.png'] }),
    storageProvider,
    mimeType: Type.Optional(recorded.mimeType),
    bytes: Type.Optional(recorded.bytes),
  },
  {
    additionalProperties: false,
    description:
      'A record only: the bytes stay where they are. What is said of them (also `sha256`, beside the source) is recorded, not verified.',
  },
);

export const IngestJson = requestComponent(
  'IngestJson',
  {
    ...flatFields,
    metadata: Type.Optional(jsonObject("The caller's own data, up to 64 KiB and 32 levels.")),
    generation: Type.Optional(jsonObject('How it was made, up to 64 KiB.')),
    source: Type.Optional(
      Type.Unsafe<
        | Static<typeof Base64Source>
        | Static<typeof UrlSource>
        | Static<typeof ObjectSource>
        | Static<typeof ExternalSource>
      >({
        oneOf: [Base64Source, UrlSource, ObjectSource, ExternalSource].map((schema) => ref(schema)),
        discriminator: { propertyName: 'type' },
        description: 'Where the bytes come from. Left out for a failed generation.',
      }),
    ),
    storageUrl: Type.Optional(
      Type.String({
        ...storageUrl,
        pattern: `${HTTP_URL}|^$`,
        description:
          'In place of `source`, beside which it does not count: where the bytes lie. The item is only recorded, as with a source of the type `external`. Empty for a failed generation.',
        examples: ['https://raw.githubusercontent.com/owner/repository/main/file-library/fox.png'],
      }),
    ),
    storageProvider: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 50,
        description: 'Beside `storageUrl`: who keeps them. Default: `external`.',
        examples: ['github'],
      }),
    ),
    mimeType: Type.Optional({ ...recorded.mimeType, description: 'Beside `storageUrl`: type of the file.' }),
    bytes: Type.Optional({ ...recorded.bytes, description: 'Beside `storageUrl`: size of the file.' }),
  },
  {
    additionalProperties: false,
    description: 'One item, with a source or a storage URL, or without both and `status: "failed"`.',
    examples: [
      {
        userId: 'user-1',
        prompt: 'a red fox in the snow',
        tags: ['fox'],
        source: { type: 'url', url: 'https://cdn.example.com/out.png' },
      },
      {
        userId: 'user-1',
        prompt: 'a red fox in the snow',
        storageUrl: 'https://raw.githubusercontent.com/owner/repository/main/file-library/fox.png',
        storageProvider: 'github',
        mimeType: 'image/png',
        bytes: 524_288,
      },
    ],
  },
);
export type IngestJson = Static<typeof IngestJson>;

/** An external source whose provider may bear the name of a store here: in such a table, `local` and `github` are addresses. */
type RecordedSource = Static<typeof ExternalSource> & { asWritten: true };

const BESIDE_URL = ['storageProvider', 'mimeType', 'bytes'] as const;

/**
 * The source of an item whose bytes lie elsewhere, told by fields of the item, as in a table `generated_images`: `storageUrl` and what
 * stands beside it. Beside a `source` these fields do not count. @throws AppError invalid_request
 */
export function withStorageUrl({
  storageUrl: url,
  storageProvider: provider,
  mimeType,
  bytes,
  ...rest
}: IngestJson): Omit<IngestJson, 'storageUrl' | 'source' | (typeof BESIDE_URL)[number]> & {
  source?: IngestJson['source'] | RecordedSource;
} {
  // Answers hold these fields: sent back beside other bytes they say nothing of those.
  if (rest.source !== undefined) return rest;
  if (url !== undefined && url !== '') {
    const source = { type: 'external' as const, storageUrl: url, storageProvider: provider ?? 'external' };
    return { ...rest, source: { ...source, mimeType, bytes, asWritten: true } };
  }
  const beside = { storageProvider: provider, mimeType, bytes };
  const field = BESIDE_URL.find((name) => beside[name] !== undefined);
  // A writer of such a table sends the same fields for a failure.
  if (field !== undefined && rest.status !== 'failed')
    throw new AppError(
      'invalid_request',
      `'${field}' is recorded of an item with a 'storageUrl'; of bytes that are sent it is told from them.`,
      { field },
    );
  return rest;
}
