import { type Static, Type } from 'typebox';
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
export const ExternalSource = requestComponent(
  'ExternalSource',
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
  { additionalProperties: false, description: 'A record only: the bytes stay where they are.' },
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
  },
  {
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
