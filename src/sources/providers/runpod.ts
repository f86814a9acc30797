import type { JsonObject } from '../../json/json.ts';
import type { KnownOutputs } from '../answers/answer-description.ts';
import type { AnswerError } from '../answers/answer-error.ts';
import { type AnswerOutput, type OutputBytes, bytesOf } from '../answers/answer.ts';
import { errorIn } from '../answers/failure.ts';
import { byPriority } from '../answers/find-outputs.ts';
import { asArray, asObject, nonBlankText } from '../answers/json-access.ts';
import { readerOf } from '../answers/read-answer.ts';
import { announcesPiece } from '../answers/state-words.ts';
import { joinOutputs } from '../answers/same-outputs.ts';
import type { ProviderDescriptor } from '../description/provider-descriptor.ts';

/** Fields with the path of a file; the key of a stored object first. */
const PATHS = ['s3Key', 's3_key', 'awsS3Key', 'aws_s3_key', 'networkVolumePath', 'network_volume_path', 'path', 'key'];
/** Fields with the bytes of a file, or its URL. */
const CONTENTS = ['data', 'base64', 'url', 'image', 'imageData', 'image_data', 'awsS3Url', 'aws_s3_url', 'direct_url'];

export const runpod = {
  name: 'runpod',
  parse: readerOf({
    id: ['id', 'job_id', 'output.job_id'],
    known: handlerFiles,
    pathNames: PATHS,
    error: errorOfJob,
    prompt: ['prompt', 'output.prompt', 'input.prompt'],
    facts: {
      delayTime: ['delayTime'],
      executionTime: ['executionTime'],
      outputStatus: ['output.status'],
    },
  }),
  imports: true,
  urlLifetimeMs: 7 * 24 * 60 * 60_000,
  webhooks: [
    {
      name: 'runpod',
      secret: {
        name: 'WEBHOOK_SECRET_RUNPOD',
        description: 'Secret that the address of a RunPod webhook bears as `?secret=`; RunPod cannot sign.',
      },
      proof: { type: 'url-secret' },
    },
    // Sent by a handler that runs on RunPod, in the same form.
    {
      name: 'generation',
      secret: {
        name: 'WEBHOOK_SECRET_GENERATION',
        description:
          "Secret of a handler's own webhook, as `?secret=` or to sign with. Unset: the one of RunPod, on which such handlers run.",
        fallback: 'WEBHOOK_SECRET_RUNPOD',
      },
      proof: { type: 'url-secret' },
    },
  ],
} as const satisfies ProviderDescriptor;

/** The outputs of a custom handler that names the places of its files, at the top level or inside `output`. */
function handlerFiles(body: JsonObject): KnownOutputs {
  const output = asObject(body['output']);
  // Its other forms are those of workers, which the search knows.
  const inner = namesPlaces(output) || isPiece(output) ? handlerPart(output) : {};
  const outer = handlerPart(body);
  return {
    outputs: [...handlerOutputs(inner), ...handlerOutputs(outer)],
    fields: [...(Object.keys(inner).length > 0 ? ['output'] : []), ...Object.keys(outer)],
    whileRunning: true,
  };
}

/** One of several outputs, sent as soon as it was there. */
function isPiece(body: JsonObject): boolean {
  return ['status', 'state', 'type', 'event', 'event_type'].some((name) => announcesPiece(body[name]));
}

/** What a custom handler says of its files. The one of a piece stands in `image`, or in fields at the top. */
function handlerPart(body: JsonObject): JsonObject {
  const only = (names: readonly string[]) =>
    Object.fromEntries(names.flatMap((name) => (body[name] === undefined ? [] : [[name, body[name]]])));
  const part = only(HANDLER_FIELDS);
  const finished = isPiece(body) || asObject(body['image'])['type'] === 'output';
  if (!finished || LISTS.some((name) => name in part)) return part;
  const nested = ['image', 'imageData', 'data'].find((name) => typeof body[name] === 'object' && body[name] !== null);
  const fields = nested === undefined ? only([...PATHS, ...CONTENTS, 'filename', 'subfolder']) : only([nested]);
  const image = nested === undefined ? fields : (body[nested] ?? null);
  return imageOutput(image) ? { ...part, ...fields, images: [image] } : part;
}

/** Messages for final states that RunPod sends without one. */
const ENDINGS: Readonly<Record<string, string>> = {
  TIMED_OUT: 'the job took longer than it may',
  CANCELLED: 'the job was canceled',
  CANCELED: 'the job was canceled',
};

/** A final state without a message gets one. */
function errorOfJob(body: JsonObject, failed: boolean): AnswerError | undefined {
  const status = (nonBlankText(body['status']) ?? '').toUpperCase();
  const error = errorIn(body, failed);
  const ending = ENDINGS[status];
  return ending === undefined ? error : { class: error?.class ?? status, message: error?.message ?? ending };
}

/** An entry of a handler's `images`: a string, or an object with the bytes, the URL or the path of one file; undefined when it has none of them. */
function imageOutput(entry: unknown): AnswerOutput | undefined {
  const text = nonBlankText(entry);
  if (text !== undefined) return { from: [bytesOf(text)] };
  const image = asObject(entry);
  if (image['type'] === 'temp') return undefined;
  const from: OutputBytes[] = [];
  for (const path of new Set(PATHS.flatMap((name) => nonBlankText(image[name]) ?? [])))
    from.push(isUrl(path) ? bytesOf(path) : { type: 'object', path });
  for (const data of new Set(CONTENTS.flatMap((name) => nonBlankText(image[name]) ?? []))) from.push(bytesOf(data));
  if (from.length === 0) return undefined;
  return {
    from: byPriority(from),
    filename: nonBlankText(image['filename']),
    subfolder: nonBlankText(image['subfolder']) || undefined,
  };
}

/** Fields in which custom handlers list the paths of their outputs. */
const PLACES = ['network_volume_paths', 's3Keys', 's3_keys', 'networkVolumePaths', 'aws_s3_paths'];
/** Fields in which they list the outputs themselves. */
const LISTS = ['images', 'allImages'];
const HANDLER_FIELDS = [...PLACES, 'resultUrls', 'result_urls', ...LISTS];

/** Whether a custom handler made this output: then it names the paths or URLs of its files. */
function namesPlaces(output: Record<string, unknown>): boolean {
  return [...PLACES, 'resultUrls', 'result_urls'].some((name) => name in output);
}

/**
 * The outputs of a custom handler. Its fields (paths, keys, result URLs, images) describe the same outputs, matched by name or by
 * position. An image that matches no path for certain becomes a separate output; otherwise its bytes would be lost.
 */
function handlerOutputs(body: Record<string, unknown>): AnswerOutput[] {
  const places = PLACES.map((name) =>
    asArray(body[name]).map((entry) => only(pathOf(entry), (path) => ({ type: 'object', path }))),
  );
  const urls = asArray(body['resultUrls'] ?? body['result_urls']).map((entry) =>
    only(nonBlankText(entry) ?? nonBlankText(asObject(entry)['url']), (url) => ({ type: 'url', url })),
  );
  const images = LISTS.map((name) => asArray(body[name]).map((entry) => imageOutput(entry)));
  return joinOutputs([
    ...places.map((entries) => ({ entries, mayRename: true })),
    { entries: urls, mayRename: true },
    ...images.map((entries) => ({ entries, mayRename: false })),
  ]).map((output) => ({ ...output, from: byPriority(output.from) }));
}

function only(text: string | undefined, bytes: (text: string) => OutputBytes): AnswerOutput | undefined {
  return text === undefined ? undefined : { from: [bytes(text)] };
}

function pathOf(entry: unknown): string | undefined {
  const object = asObject(entry);
  const filename = nonBlankText(object['filename']);
  const subfolder = nonBlankText(object['subfolder'])?.replace(/(?<!\/)\/+$/, '');
  return (
    nonBlankText(entry) ??
    PATHS.map((name) => nonBlankText(object[name])).find((path) => path !== undefined) ??
    // Another subfolder may be relative to `outputs` or to the user's folder; only these are certain.
    (filename !== undefined && subfolder !== undefined && /^(\/|outputs(\/|$))/.test(subfolder)
      ? `${subfolder}/${filename}`
      : undefined)
  );
}

function isUrl(text: string): boolean {
  return /^https?:\/\//i.test(text.trim());
}
