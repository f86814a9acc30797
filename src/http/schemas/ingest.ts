import { type Static, Type } from 'typebox';
import { jsonObject, ref, text } from './common.ts';

const time = (description: string) => Type.String({ description, maxLength: 40, examples: ['2026-11-21T01:55:37Z'] });

/** What a caller may say about an item, whatever the form in which it comes. */
export const flatFields = {
  userId: Type.Optional(
    text('Owner. A user token may leave it out; a service token must give it.', 255, { examples: ['user-1'] }),
  ),
  username: Type.Optional(text('Name of the owner to show.', 2000)),
  toolName: Type.Optional(text('Tool that asked for it.', 255)),
  prompt: Type.Optional(text('What was asked for.', 262_144, { examples: ['a red fox in the snow'] })),
  model: Type.Optional(text('Model that made it.', 2000)),
  provider: Type.Optional(text('Who generated.', 255)),
  size: Type.Optional(text('Size that was asked for.', 20)),
  quality: Type.Optional(text('Quality that was asked for.', 20)),
  style: Type.Optional(text('Style that was asked for.', 20)),
  n: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'How many were asked for.' })),
  tags: Type.Optional(
    Type.Array(Type.String({ maxLength: 128 }), {
      maxItems: 64,
      description: 'Up to 64 tags of up to 64 characters.',
      examples: [['portrait']],
    }),
  ),
  status: Type.Optional(
    Type.Enum(['success', 'failed'], { description: '`failed` records a generation that gave nothing, with `error`.' }),
  ),
  error: Type.Optional(text('Why the generation failed.', 65_536)),
  messageId: Type.Optional(text("The caller's message.", 2000)),
  requestId: Type.Optional(text("The caller's request.", 2000)),
  jobId: Type.Optional(text('Job at the generating back end.', 2000)),
  runId: Type.Optional(text('Pipeline run.', 200)),
  projectId: Type.Optional(Type.String({ format: 'uuid', description: 'Project of the scene.' })),
  sceneId: Type.Optional(text('Scene; the item becomes its next version.', 255)),
  parentId: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,18}$', description: 'Item that it was made from.' })),
  externalId: Type.Optional(text('Id that it had in an older system.', 2000)),
  originalUrl: Type.Optional(text('Where it came from.', 2000)),
  generatedAt: Type.Optional(time('When it was generated.')),
  expiresAt: Type.Optional(time('When it may be removed.')),
  visibility: Type.Optional(
    Type.Enum(['private', 'public'], { description: 'Default: the setting DEFAULT_VISIBILITY.' }),
  ),
  filename: Type.Optional(text('Name of the file.', 1000, { examples: ['fox.png'] })),
  subfolder: Type.Optional(text("Folders in the key, below the user's.", 500)),
  store: Type.Optional(text('Name of the store to write to. Default: the primary one.', 40)),
  sha256: Type.Optional(
    Type.String({ pattern: '^[0-9A-Fa-f]{64}$', description: 'SHA-256 of the file, hexadecimal; verified.' }),
  ),
};

/** JSON inside a text, for forms that have only texts. */
const jsonText = (description: string) =>
  Type.Optional(Type.String({ description, maxLength: 200_000, examples: ['{"campaign":"winter"}'] }));

export const IngestFields = Type.Object(
  {
    ...flatFields,
    metadata: jsonText("The caller's own data: a JSON object."),
    generation: jsonText('How it was made: a JSON object.'),
  },
  { $id: 'IngestFields', additionalProperties: false },
);
export type IngestFields = Static<typeof IngestFields>;

export const IngestForm = Type.Object(
  {
    ...IngestFields.properties,
    file: Type.Unsafe<string>({
      type: 'string',
      format: 'binary',
      description: 'The file. `userId`, `subfolder`, `filename` must come before it.',
    }),
  },
  { $id: 'IngestForm', required: ['file'], description: 'One part `file`, the others are fields.' },
);

const source = <T extends string>(type: T) => Type.Literal(type, { description: 'Kind of the source.' });

export const Base64Source = Type.Object(
  {
    type: source('base64'),
    data: Type.String({ minLength: 1, description: 'Base64, or a data URI.', examples: ['iVBORw0KGgo='] }),
  },
  { $id: 'Base64Source', additionalProperties: false, description: 'The bytes themselves.' },
);
export const UrlSource = Type.Object(
  {
    type: source('url'),
    url: Type.String({
      minLength: 1,
      maxLength: 2000,
      description: 'https address to fetch from.',
      examples: ['https://cdn.example.com/out.png'],
    }),
  },
  { $id: 'UrlSource', additionalProperties: false, description: 'A URL that is fetched at once.' },
);
export const ObjectSource = Type.Object(
  {
    type: source('object'),
    store: Type.String({ minLength: 1, maxLength: 40, description: 'Name of the store.' }),
    key: Type.String({ minLength: 1, maxLength: 1000, description: 'Key of the object.' }),
  },
  {
    $id: 'ObjectSource',
    additionalProperties: false,
    description: 'An object that is in a store already; it is not deleted with the item. Needs media:admin.',
  },
);
export const ExternalSource = Type.Object(
  {
    type: source('external'),
    storageUrl: Type.String({
      pattern: '^https?://[^\\s\\\\]+$',
      maxLength: 2000,
      description: 'Where the bytes lie.',
      examples: ['https://cdn.example.com/out.png'],
    }),
    storageProvider: Type.String({ minLength: 1, maxLength: 50, description: 'Who keeps them.', examples: ['cdn'] }),
    mimeType: Type.Optional(text('Type of the file, if it is known.', 50)),
  },
  { $id: 'ExternalSource', additionalProperties: false, description: 'A record only: the bytes stay where they are.' },
);

export const IngestJson = Type.Object(
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
      }),
    ),
  },
  {
    $id: 'IngestJson',
    additionalProperties: false,
    description: 'One item, with a source, or without one and `status: "failed"`.',
    examples: [
      {
        userId: 'user-1',
        prompt: 'a red fox in the snow',
        tags: ['fox'],
        source: { type: 'url', url: 'https://cdn.example.com/out.png' },
      },
    ],
  },
);
export type IngestJson = Static<typeof IngestJson>;

export const INGEST_SCHEMAS = [IngestForm, Base64Source, UrlSource, ObjectSource, ExternalSource, IngestJson];
