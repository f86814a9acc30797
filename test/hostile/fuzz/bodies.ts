import fc from 'fast-check';
import { type Part, SVG_WITH_SCRIPT, multipart, png } from '../../support/sample-files.ts';
import { COMFY_WORKFLOW } from '../../media/generation/made-generations.ts';
import { IMAGES } from '../../media/made-images.ts';
import { pngOf, tEXt } from '../../media/made-texts.ts';
import { AUDIO } from '../../media/made-audio.ts';
import { VIDEOS } from '../../media/made-video.ts';
import { MODELS } from '../../media/made-models.ts';
import type { ApiDocument, Schema } from './document.ts';
import { hostileText, hostileValue, mutate, mutation } from './hostile-values.ts';
import { fitting } from './schema-values.ts';
import { Link, Raw, textOf } from './wire.ts';

/** How closely a request follows the document. */
export type Manner = 'fitting' | 'near' | 'hostile';

/** A body without its links. */
export type Body =
  | { form: 'none' }
  | { form: 'json'; type: string; value: unknown; damage: Damage }
  | { form: 'bytes'; type: string; bytes: Uint8Array }
  | {
      form: 'multipart';
      type: string;
      fields: [string, unknown][];
      file: Uint8Array;
      filename: string;
      damage: Damage;
    };

/** Damage to a well-formed body. */
type Damage = 'none' | 'cut' | 'bom' | 'utf8' | 'garbage' | 'twice' | 'file-first' | 'no-file' | 'proto';

const FILES: readonly Uint8Array[] = [
  png(2, 2, 1),
  SVG_WITH_SCRIPT,
  ...[IMAGES, AUDIO, VIDEOS, MODELS].flatMap((made) => made.map(({ file }) => file)),
].filter((file) => file.length < 200_000);

const WITH_WORKFLOW = pngOf(tEXt('workflow', JSON.stringify(COMFY_WORKFLOW)));

const file: fc.Arbitrary<Uint8Array> = fc.oneof(
  { weight: 2, arbitrary: fc.constant(WITH_WORKFLOW) },
  { weight: 4, arbitrary: fc.nat(200).map((salt): Uint8Array => png(3, 2, salt)) },
  { weight: 4, arbitrary: fc.constantFrom(...FILES) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom(...FILES), fc.nat(1000)).map(([bytes, at]) => bytes.subarray(0, at)),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 400 }) },
);

/** Content announced by direct uploads, and mostly sent. */
const UPLOADED = png(3, 2, 7);

const HOSTILE_TYPES = [
  '',
  'x',
  'text/html',
  'application/json; charset=utf-16',
  'image/',
  'multipart/form-data',
  'a/b;c',
];

/** Provider answers, for fields and webhooks that accept any. */
const picture = fc.nat(50).map((salt) => png(2, 2, salt).toString('base64'));
const origin = fc.nat(50).map((salt) => new Link('origin', salt));
const jobLink = fc.nat(1_000_000).map((pick) => new Link('job', pick));
const providerAnswer: fc.Arbitrary<unknown> = fc.oneof(
  picture.map((data) => ({
    created: 1,
    data: [{ b64_json: data, revised_prompt: 'a fox' }],
    usage: { total_tokens: 9 },
  })),
  origin.map((url) => ({ images: [{ url, width: 2, height: 2, content_type: 'image/png' }], seed: 5, prompt: 'p' })),
  fc
    .tuple(jobLink, origin)
    .map(([id, url]) => ({ id, status: 'succeeded', output: [url], metrics: { predict_time: 1 } })),
  fc.tuple(jobLink, picture).map(([id, data]) => ({
    id,
    status: 'COMPLETED',
    user_id: 'alice',
    output: { images: [{ data, filename: 'a.png' }], seed: 3 },
  })),
  fc.tuple(jobLink, fc.constantFrom('IN_PROGRESS', 'FAILED', 'TIMED_OUT', 'CANCELLED')).map(([id, status]) => ({
    id,
    status,
    progress: 40,
    error: 'none',
  })),
  fc
    .tuple(jobLink, picture)
    .map(([jobId, data]) => ({ jobId, status: 'succeeded', user_id: 'bob', outputs: [{ data }] })),
  picture.map((base64) => ({ artifacts: [{ base64, seed: 1, finishReason: 'SUCCESS' }] })),
  picture.map((data) => ({ images: [data], info: '{"seed":1}' })),
  picture.map((data) => ({ candidates: [{ content: { parts: [{ inlineData: { mimeType: 'image/png', data } }] } }] })),
  fc.jsonValue({ maxDepth: 3 }),
);

const damage = (manner: Manner, ...kinds: Damage[]): fc.Arbitrary<Damage> =>
  manner === 'fitting'
    ? fc.constant('none')
    : fc.oneof(
        { weight: 6, arbitrary: fc.constant<Damage>('none') },
        { weight: 1, arbitrary: fc.constantFrom(...kinds) },
      );

function jsonBody(value: fc.Arbitrary<unknown>, manner: Manner, type = 'application/json'): fc.Arbitrary<Body> {
  const changed =
    manner === 'fitting'
      ? value
      : manner === 'near'
        ? fc.tuple(value, mutation).map(([known, change]) => mutate(known, change))
        : hostileValue;
  return fc
    .record({ value: changed, damage: damage(manner, 'cut', 'bom', 'utf8', 'garbage') })
    .map((parts): Body => ({ form: 'json', type, ...parts }));
}

function formBody(document: ApiDocument, schema: Schema, manner: Manner): fc.Arbitrary<Body> {
  const name = fc.oneof({ weight: 5, arbitrary: fc.constant('a.png') }, { weight: 1, arbitrary: hostileText });
  const fields = fitting(document, schema, '', 10).map((value) =>
    Object.entries(value as Record<string, unknown>).filter(([field]) => field !== 'file'),
  );
  const hostileField = fc.tuple(
    fc.oneof(fc.constantFrom('prompt', 'tags', 'n', 'x', 'file'), hostileText),
    hostileText,
  );
  return fc
    .record({
      fields:
        manner === 'fitting'
          ? fields
          : fc.tuple(fields, fc.array(hostileField, { maxLength: 3 })).map((all) => all.flat()),
      file,
      filename: name,
      damage: damage(manner, 'cut', 'twice', 'file-first', 'no-file', 'proto', 'garbage'),
    })
    .map((parts) => ({ form: 'multipart' as const, type: 'multipart/form-data; boundary=fuzz', ...parts }));
}

/** Which fields go together, which no schema expresses. */
function shaped(id: string, value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  if (id === 'compatSaveImages')
    return picture.map((data) => ({ userId: new Link('user', 1), images: [{ data, prompt: 'x' }] }));
  const fields = value.map((known) => {
    const {
      sha256: _sha256,
      status: _status,
      error: _error,
      store: _store,
      ...rest
    } = known as Record<string, unknown>;
    return rest;
  });
  if (id === 'importAnswer') return fc.tuple(fields, providerAnswer).map(([own, response]) => ({ ...own, response }));
  if (id === 'createUpload') return fields.map((own) => ({ ...own, contentType: 'image/png', bytes: UPLOADED.length }));
  if (!['createMedia', 'addRunMedia', 'createSceneVersion'].includes(id)) return value;
  const source = fc.oneof(
    picture.map((data) => ({ type: 'base64', data })),
    origin.map((url) => ({ type: 'url', url })),
  );
  const whole = fc.tuple(fields, source).map(([own, known]) => ({ ...own, source: known }));
  return fc.oneof({ weight: 3, arbitrary: whole }, { weight: 1, arbitrary: value });
}

/** Bodies for an operation, of the types it accepts and, unless they must fit, some others. */
export function bodyFor(
  document: ApiDocument,
  id: string,
  bodies: Record<string, Schema>,
  manner: Manner,
): fc.Arbitrary<Body> {
  if (/webhook$/i.test(id) && id !== 'releaseParkedWebhook') return jsonBody(providerAnswer, manner);
  const types = Object.keys(bodies);
  const known: fc.Arbitrary<Body>[] = [];
  for (const type of types) {
    const schema = bodies[type] ?? {};
    if (type === 'application/json') {
      const value = fitting(document, schema);
      known.push(jsonBody(shaped(id, value), manner));
    } else if (type === 'multipart/form-data') known.push(formBody(document, schema, manner));
  }
  if (id === 'putUploadContent') known.push(fc.constant<Body>({ form: 'bytes', type: 'image/png', bytes: UPLOADED }));
  const raw = types.filter((type) => type.includes('/') && !/json|form/.test(type));
  if (raw.length > 0)
    known.push(
      fc.record({ bytes: file, type: fc.constantFrom(...raw) }).map((parts): Body => ({ form: 'bytes', ...parts })),
    );
  const none: fc.Arbitrary<Body> = fc.constant({ form: 'none' });
  if (known.length === 0)
    return manner === 'fitting' ? none : fc.oneof(none, none, none, jsonBody(hostileValue, 'hostile'));
  if (manner === 'fitting') return fc.oneof(...known);
  const strange = fc
    .record({ bytes: fc.uint8Array({ maxLength: 200 }), type: fc.constantFrom(...HOSTILE_TYPES) })
    .map((parts): Body => ({ form: 'bytes', ...parts }));
  return fc.oneof(...known.map((arbitrary) => ({ weight: 4, arbitrary })), none, strange);
}

/** The bytes of a form. A field's value may be anything; its name is written as it is. */
export function writeForm(body: Body & { form: 'multipart' }): Buffer {
  const fields = body.fields.map(([name, value]): Part => ({
    name: name.replaceAll('"', '%22'),
    value: value instanceof Raw ? value.text : textOf(value),
  }));
  const sent: Part = { name: 'file', value: Buffer.from(body.file), filename: body.filename.replaceAll('"', '%22') };
  const files = { twice: [sent, sent], 'no-file': [] as Part[] }[body.damage as string] ?? [sent];
  if (body.damage === 'proto') fields.push({ name: '__proto__', value: 'x' });
  const { payload } = multipart(body.damage === 'file-first' ? [...files, ...fields] : [...fields, ...files], 'fuzz');
  if (body.damage === 'cut') return payload.subarray(0, payload.length >> 1);
  return body.damage === 'garbage' ? Buffer.concat([Buffer.from('\r\n\0--fuzz'), payload]) : payload;
}

/** The bytes of a JSON text. */
export function damaged(text: string, how: Damage): Buffer {
  const bytes = Buffer.from(text);
  if (how === 'cut') return bytes.subarray(0, bytes.length >> 1);
  if (how === 'bom') return Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes]);
  if (how === 'utf8')
    return Buffer.concat([Buffer.from('{"prompt":"'), Buffer.from([0xff, 0xc0, 0x80]), Buffer.from('"}')]);
  return how === 'garbage' ? Buffer.from(`${text}}{`) : bytes;
}
