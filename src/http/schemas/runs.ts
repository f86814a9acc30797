import { flatFields } from '../../shapes/item-fields.ts';
import { type Static, Type } from 'typebox';
import {
  component,
  jsonObject,
  nullableString,
  nullableTime,
  ref,
  text,
  requestComponent,
} from '../../shapes/common.ts';
import { Base64Source, ExternalSource, ObjectSource, UrlSource } from '../../shapes/ingest.ts';
import { JobReference } from './imports.ts';
import { MediaItem } from './media.ts';

const TEXT_CHARACTERS = 262_144;
const word = (description: string, example: string) => Type.Optional(text(description, 255, { examples: [example] }));
const transformedText = Type.Optional(
  text('The text as it went to the generator, up to 256 KiB.', TEXT_CHARACTERS, { examples: ['a red fox, woodcut'] }),
);

export const RunRequest = requestComponent(
  'RunRequest',
  {
    userId: flatFields.userId,
    inputText: text('What the user entered, up to 256 KiB.', TEXT_CHARACTERS, { examples: ['a red fox'] }),
    transformedText,
    schema: word('Schema of the pipeline.', 'dada'),
    executionMode: word('Mode of the pipeline.', 'eco'),
    safetyLevel: word('Safety level of the pipeline.', 'kids'),
    metadata: Type.Optional(jsonObject("The caller's own data, up to 64 KiB and 32 levels.")),
  },
  {
    additionalProperties: false,
    description: 'A run that begins.',
    examples: [{ userId: 'user-1', inputText: 'a red fox', schema: 'dada', executionMode: 'eco', safetyLevel: 'kids' }],
  },
);
export type RunRequest = Static<typeof RunRequest>;

export const RunCompletion = requestComponent(
  'RunCompletion',
  { transformedText },
  { additionalProperties: false, description: 'The end of a run.', examples: [{}] },
);

const ComfyuiSource = component(
  'ComfyuiSource',
  {
    type: Type.Literal('comfyui', { description: 'Kind of the source.' }),
    promptId: text('Id that ComfyUI gave the prompt.', 200, {
      minLength: 1,
      examples: ['6f1c7f0e-0000-4000-8000-000000000001'],
    }),
  },
  { additionalProperties: false, description: 'All outputs of a ComfyUI prompt.' },
);

export const RunMediaJson = requestComponent(
  'RunMediaJson',
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
        | Static<typeof ComfyuiSource>
      >({
        oneOf: [Base64Source, UrlSource, ObjectSource, ExternalSource, ComfyuiSource].map((schema) => ref(schema)),
        discriminator: { propertyName: 'type' },
        description: 'Where the bytes come from. Left out for a failed generation.',
      }),
    ),
    output: Type.Optional(
      text(
        'In place of `source`, what a generator gave, whichever it is: a text that starts with `http:` or `https:` is a URL, any other a ComfyUI prompt id.',
        2000,
        { minLength: 1, examples: ['https://cdn.example.com/out.png'] },
      ),
    ),
  },
  {
    additionalProperties: false,
    description: 'An output of the run, with a `source` or an `output`.',
    examples: [{ prompt: 'a red fox', source: { type: 'url', url: 'https://cdn.example.com/out.png' } }],
  },
);
export type RunMediaJson = Static<typeof RunMediaJson>;

const properties = {
  runId: Type.String({ description: 'Id of the run.', examples: ['0d5a3f6e-8f5f-4a53-9a53-1f8a6a1f3c11'] }),
  userId: Type.String({ description: 'Who owns it.', examples: ['user-1'] }),
  status: Type.String({ description: '`open` or `completed`.', examples: ['open'] }),
  inputText: Type.String({ description: 'What the user entered.', examples: ['a red fox'] }),
  transformedText: nullableString('The text as it went to the generator.'),
  schema: nullableString('Schema of the pipeline.'),
  executionMode: nullableString('Mode of the pipeline.'),
  safetyLevel: nullableString('Safety level of the pipeline.'),
  metadata: jsonObject("The caller's own data."),
  store: Type.String({ description: 'Store in which its folder `runs/{runId}/` lies.', examples: ['local'] }),
  completedAt: nullableTime('When it was completed.'),
  createdAt: Type.String({ format: 'date-time', description: 'When it began.' }),
  updatedAt: Type.String({ format: 'date-time', description: 'When it or an output of it last changed.' }),
};

const Run = component('Run', properties, { description: 'One run of a pipeline.' });
const RunDetails = component(
  'RunDetails',
  {
    ...properties,
    items: Type.Array(ref(MediaItem), { description: 'Its items in the order in which they came, 1,000 at most.' }),
    moreItems: Type.Boolean({ description: 'There are more; `GET /v1/media?runId=` lists them.' }),
  },
  { description: 'A run with its items.' },
);
const RunPage = component(
  'RunPage',
  {
    items: Type.Array(ref(Run), { description: 'The runs of this page, without their items.' }),
    nextCursor: nullableString('For the next page; null on the last.'),
  },
  { description: 'One page of runs.' },
);

export const RunsQuery = Type.Object(
  {
    userId: Type.Optional(text('Owner; a user token sees only its own.', 2000, { examples: ['user-1'] })),
    status: Type.Optional(Type.Enum(['open', 'completed'], { description: 'Status.' })),
    limit: Type.Integer({ minimum: 1, maximum: 200, default: 50, description: 'Runs on a page.' }),
    cursor: Type.Optional(text('`nextCursor` of the page before.', 2000)),
  },
  { additionalProperties: false },
);

const RunMedia = component(
  'RunMedia',
  {
    items: Type.Array(ref(MediaItem), { description: 'What was stored.' }),
    job: Type.Optional(ref(JobReference)),
  },
  { description: 'What was added to a run, or the work that will add it.' },
);

export const runResponse = { description: 'The run.', content: { 'application/json': { schema: ref(Run) } } };
export const runPageResponse = {
  description: 'One page.',
  content: { 'application/json': { schema: ref(RunPage) } },
};
export const runDetailsResponse = {
  description: 'The run with its items.',
  content: { 'application/json': { schema: ref(RunDetails) } },
};
export const runMediaResponse = (description: string) => ({
  description,
  content: { 'application/json': { schema: ref(RunMedia) } },
});
export const zipResponse = {
  description: 'A zip with `metadata.json`, the texts and the outputs.',
  content: { 'application/zip': { schema: Type.Unsafe<unknown>({ type: 'string', format: 'binary' }) } },
};

export const RunParams = Type.Object({
  runId: Type.String({
    minLength: 1,
    maxLength: 200,
    description: 'Id of the run.',
    examples: ['0d5a3f6e-8f5f-4a53-9a53-1f8a6a1f3c11'],
  }),
});
