import { itemProperties } from '../../shapes/item-fields.ts';
import { type Static, Type } from 'typebox';
import {
  component,
  jsonObject,
  nullableInteger,
  nullableString,
  nullableTime,
  ref,
  requestComponent,
} from '../../shapes/common.ts';
import { ContentQuery } from './delivery.ts';

/** Index of an output of its kind; the first by default. */
const nth = Type.Integer({ minimum: 1, maximum: 1000, default: 1, description: 'Which of several; 1 is the first.' });

const CompatImage = component(
  'CompatImage',
  {
    ...itemProperties,
    abridged: Type.Optional(
      Type.Boolean({
        description:
          'Long texts are cut, and `metadata` and `generation` are empty, to keep the answer small; `GET /v1/media/{id}` has all.',
      }),
    ),
    dataUrl: nullableString('Address of its bytes under the path of older systems; null when there are none.', {
      examples: ['http://127.0.0.1:8080/api/images/42/data'],
    }),
    fileSize: nullableInteger('The same as `bytes`.'),
    format: nullableString('Its type as an extension.', { examples: ['png'] }),
    networkVolumePath: nullableString('Where it lies on the volume, as back ends see it that have mounted it.', {
      examples: ['/runpod-volume/outputs/user-1/fox-0f2c.png'],
    }),
  },
  { description: 'An item, with the names that older front ends know.' },
);

const count = (description: string) => Type.Integer({ minimum: 0, description });
const images = Type.Array(ref(CompatImage), { description: 'The images.' });

const CompatStats = component(
  'CompatStats',
  {
    totalImages: count('Images.'),
    totalSize: count('Their bytes.'),
    formatBreakdown: Type.Record(Type.String(), Type.Integer(), {
      description: 'Images of each format.',
      examples: [{ png: 12, jpg: 3 }],
    }),
    imagesWithData: count('Those whose bytes can be read: they have a `dataUrl`.'),
    imagesWithoutData: count('The others.'),
  },
  { description: "A user's images as a whole." },
);

const CompatImageList = component(
  'CompatImageList',
  {
    success: Type.Boolean({ description: 'Always true; a failure is a problem document.', examples: [true] }),
    images: Type.Optional(images),
    count: Type.Optional(count('Images in this answer.')),
    total: Type.Optional(count('Images in all pages.')),
    hasMore: Type.Optional(Type.Boolean({ description: 'Whether there are others behind these.', examples: [false] })),
    stats: Type.Optional(ref(CompatStats)),
  },
  { description: 'Images, or with `stats=true` their totals, as older front ends expect them.' },
);

const CompatSavedImages = component(
  'CompatSavedImages',
  {
    success: Type.Boolean({ description: 'Whether all of them are stored, or will be.', examples: [true] }),
    error: Type.Optional(Type.String({ description: 'Why one of them could not be stored.' })),
    image: Type.Optional(ref(CompatImage)),
    images,
  },
  { description: 'The images that were saved; `image` is the first of them.' },
);

export const CompatListQuery = Type.Object({
  userId: Type.Optional(Type.String({ maxLength: 255, description: 'Owner; a user token sees only its own.' })),
  jobId: Type.Optional(Type.String({ maxLength: 2000, description: 'Only those of this job.' })),
  limit: Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    default: 50,
    description: 'Images at most; more than 200 are never sent at once, `hasMore` tells of the others.',
  }),
  offset: Type.Integer({ minimum: 0, maximum: 100_000, default: 0, description: 'Images to leave out.' }),
  sortBy: Type.Optional(
    Type.String({
      maxLength: 100,
      description: '`newest`, `oldest`, `largest`, `smallest` or `name`; any other word means `newest`.',
      examples: ['oldest'],
    }),
  ),
  stats: Type.Optional(
    Type.String({ maxLength: 100, description: '`true` returns totals in place of images.', examples: ['false'] }),
  ),
});

export const SaveImagesRequest = requestComponent(
  'SaveImagesRequest',
  { userId: Type.Optional(Type.String({ maxLength: 255, description: 'Owner; a service token must give it.' })) },
  {
    additionalProperties: true,
    description:
      'One image (`image`, or its fields at the top) or several (`images`): `filename`, `subfolder`, and `data`, `s3Key`, `networkVolumePath` or a URL; `jobId` says which job they are of.',
    examples: [
      {
        userId: 'user-1',
        jobId: '9f0c-u1',
        image: { filename: 'fox.png', subfolder: '', type: 'output', data: 'iVBORw0KGgo=' },
      },
    ],
  },
);
export type SaveImagesRequest = Static<typeof SaveImagesRequest>;

const CompatRunInfo = component(
  'CompatRunInfo',
  {
    ...CompatImage.properties,
    run_id: Type.String({ description: 'The run.' }),
    type: Type.String({ description: '`image`, `audio`, `video` or `model`.', examples: ['image'] }),
    count: Type.Integer({ description: 'Outputs that the run has.' }),
  },
  { description: 'The first output of a run.' },
);

const CompatRun = component(
  'CompatRun',
  {
    run_id: Type.String({ description: 'The run.' }),
    user_id: nullableString('Owner.'),
    timestamp: nullableTime('When it began.'),
    schema: nullableString('Schema of the pipeline.'),
    execution_mode: nullableString('Mode of the pipeline.'),
    input_text: nullableString('What the user entered.'),
    transformed_text: nullableString('The text as it went to the generator.'),
    outputs: Type.Array(jsonObject('Type, file name, backend, config, size, format, width and height of one output.'), {
      description: 'As metadata.json has them.',
    }),
    items: Type.Array(ref(CompatImage), { description: 'The same as items.' }),
    moreItems: Type.Boolean({ description: 'There are more; `GET /v1/media?runId=` lists them.' }),
  },
  {
    additionalProperties: true,
    description: 'All that is known of a run, as metadata.json tells it.',
  },
);

export const ImageParams = Type.Object({
  imageId: Type.String({
    minLength: 1,
    maxLength: 2000,
    description: 'Id of the item, or the id that it had in an older system.',
    examples: ['42'],
  }),
});
export const ImageQuery = Type.Object({
  ...ContentQuery.properties,
  userId: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      description: 'The owner among whose items an id of an older system, or the label of a run, is looked up.',
      examples: ['user-1'],
    }),
  ),
});
export const CompatRunParams = Type.Object({
  runId: Type.String({ minLength: 1, maxLength: 200, description: 'The run.' }),
});
export const OwnerQuery = Type.Object({ userId: ImageQuery.properties.userId });
export const NthQuery = Type.Object({ ...ImageQuery.properties, n: nth });
export const CompatJobParams = Type.Object({
  jobId: Type.String({ minLength: 1, maxLength: 500, description: 'The job.', examples: ['9f0c-u1'] }),
});

const json = (schema: Parameters<typeof ref>[0], description: string) => ({
  description,
  content: { 'application/json': { schema: ref(schema) } },
});
export const compatListResponse = json(CompatImageList, 'The images.');
export const compatSavedResponse = json(CompatSavedImages, 'The images.');
export const compatRunInfoResponse = json(CompatRunInfo, 'The output.');
export const compatRunResponse = json(CompatRun, 'The run.');
