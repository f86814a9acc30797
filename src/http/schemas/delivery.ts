import { Type } from 'typebox';
import { component, ItemId, ProblemSchema, ref, requestComponent, text } from '../../shapes/common.ts';
import { MediaItem } from './media.ts';

const ttl = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: 604_800,
    description: 'Seconds until the URL expires, at most 7 days. Default: the setting URL_TTL_SECONDS.',
    examples: [900],
  }),
);
const download = Type.Optional(Type.Boolean({ description: 'Offer the file for saving instead of showing it.' }));

export const SignedUrlRequest = requestComponent(
  'SignedUrlRequest',
  { expiresIn: ttl, download },
  {
    additionalProperties: false,
    description: 'How long, and how the file is offered.',
    examples: [{ expiresIn: 900 }],
  },
);

const SignedUrl = component(
  'SignedUrl',
  {
    url: Type.String({
      description: 'Needs no token until it expires.',
      examples: ['http://127.0.0.1:8080/v1/signed/mku_derived~WyJHRVQiXQ~c2lnbmF0dXJl/fox.png'],
    }),
    expiresAt: Type.String({ format: 'date-time', description: 'From then on it is refused.' }),
  },
  { description: 'An address for a browser.' },
);

export const SignedUrlsRequest = requestComponent(
  'SignedUrlsRequest',
  {
    ids: Type.Array(ItemId, { minItems: 1, maxItems: 200, description: 'Items, in the order of the answer.' }),
    expiresIn: ttl,
    download,
  },
  {
    additionalProperties: false,
    description: 'Up to 200 items.',
    examples: [{ ids: ['42', '43'], expiresIn: 900 }],
  },
);

const SignedUrlResult = component(
  'SignedUrlResult',
  {
    id: Type.String({ description: 'Id of the item.' }),
    status: Type.Integer({ description: 'HTTP status for this item.', examples: [200] }),
    url: Type.Optional(Type.String({ description: 'Needs no token until it expires.' })),
    expiresAt: Type.Optional(Type.String({ format: 'date-time', description: 'From then on it is refused.' })),
    problem: Type.Optional(ref(ProblemSchema)),
  },
  { description: 'A URL, or why there is none.' },
);

const SignedUrlResults = component(
  'SignedUrlResults',
  { results: Type.Array(ref(SignedUrlResult), { description: 'In the order of the ids.' }) },
  { description: 'One result for each id.' },
);

export const BatchRequest = requestComponent(
  'BatchRequest',
  {
    userId: Type.Optional(text('Owner of all items that do not name their own.', 255, { examples: ['user-1'] })),
    items: Type.Array(Type.Ref('IngestJson'), {
      minItems: 1,
      maxItems: 100,
      description: 'Up to 100 items, each like the JSON form of `POST /v1/media`.',
    }),
  },
  { additionalProperties: false, description: 'Several items at once.' },
);

const BatchResult = component(
  'BatchResult',
  {
    status: Type.Integer({ description: 'HTTP status for this item.', examples: [201] }),
    item: Type.Optional(ref(MediaItem)),
    problem: Type.Optional(ref(ProblemSchema)),
  },
  { description: 'The item, or why there is none.' },
);

const BatchResults = component(
  'BatchResults',
  { results: Type.Array(ref(BatchResult), { description: 'In the order of the items.' }) },
  { description: 'One result for each item.' },
);

const json = <T extends { $id?: string }>(description: string, schema: T & Parameters<typeof ref>[0]) => ({
  description,
  content: { 'application/json': { schema: ref(schema) } },
});
export const signedUrlResponse = json('The signed URL.', SignedUrl);
export const signedUrlsResponse = json('The signed URLs.', SignedUrlResults);
export const batchResponse = json(
  'One result for each item; the call itself succeeds even when none of them does.',
  BatchResults,
);

const BINARY_TYPES = [
  'image/png',
  'image/jpeg',
  'image/webp',
  'image/gif',
  'image/svg+xml',
  'audio/mpeg',
  'audio/wav',
  'video/mp4',
  'video/webm',
  'model/gltf-binary',
  'application/octet-stream',
];
const bytes = Type.Unsafe<unknown>({ type: 'string', format: 'binary' });
/** Bodies of any media type; some are listed, because code generators do not support wildcards. */
export const binaryContent = Object.fromEntries(BINARY_TYPES.map((type) => [type, { schema: bytes }]));
/** A body of any media type, announced as bytes. */
export const anyBinary = { 'application/octet-stream': { schema: bytes } };
/** A response without a body. */
export const empty = (description: string) => ({ description, type: 'null' });

/** The responses of every route that delivers bytes. */
export const strip = Type.Optional(
  Type.Enum(['metadata'], {
    description:
      '`metadata` leaves out texts, EXIF (its orientation and resolution stay), XMP and C2PA of PNG, JPEG, WebP and GIF files, without touching the picture; other types answer 415. What the file says of its source (IPTC `DigitalSourceType`) stays. `trainedAlgorithmicMedia` is written where a manifest goes, or where the item has a model, a provider or a tool. The whole file is sent, without a length, and never by a redirect.',
  }),
);
export const ContentQuery = Type.Object({
  strip,
  download: Type.Optional(Type.String({ description: '`1` offers the file for saving.', examples: ['1'] })),
  proxy: Type.Optional(
    Type.String({
      description: '`1` has the bytes sent by this service, where it would else redirect to the store.',
      examples: ['1'],
    }),
  ),
});
export const contentResponses = {
  200: { description: 'The whole file.', content: binaryContent },
  206: { description: 'The part that Range asks for.', content: binaryContent },
  302: empty('The bytes lie at the address in Location.'),
  304: empty('Not modified since the ETag in If-None-Match.'),
};
export const headResponses = {
  200: empty('The headers of the whole file.'),
  302: contentResponses[302],
  304: contentResponses[304],
};
const Workflow = component(
  'Workflow',
  {},
  { additionalProperties: true, description: 'A workflow as ComfyUI loads it.' },
);

export const workflowResponse = {
  description: 'The workflow.',
  headers: {
    'x-workflow-format': { description: '`editor`, or `api`: the graph as it was run.', type: 'string' },
    'content-disposition': { description: 'Offers it as `{id}.workflow.json`.', type: 'string' },
  },
  content: { 'application/json': { schema: ref(Workflow) } },
};
