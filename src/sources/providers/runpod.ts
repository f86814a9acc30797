import { asObject, asArray, nonBlankText, withoutNulls } from '../answers/json-access.ts';
import type { JsonObject } from '../../json/json.ts';
import { looksLikeBase64 } from '../base64.ts';
import { type AnswerError, errorOf } from '../answers/answer-error.ts';
import {
  type AnswerOutput,
  type AnswerState,
  type OutputBytes,
  type ProviderAnswer,
  bytesOf,
  progressOf,
} from '../answers/answer.ts';
import { findOutputs } from '../answers/find-outputs.ts';
import { joinOutputs } from '../answers/same-outputs.ts';
import type { ProviderDescriptor } from './descriptor.ts';

export const runpod = {
  name: 'runpod',
  parse,
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

const STATES: Readonly<Record<string, AnswerState>> = {
  IN_QUEUE: 'queued',
  QUEUED: 'queued',
  PENDING: 'queued',
  IN_PROGRESS: 'running',
  PROCESSING: 'running',
  RUNNING: 'running',
  COMPLETED: 'succeeded',
  SUCCESS: 'succeeded',
  FAILED: 'failed',
  ERROR: 'failed',
  TIMED_OUT: 'failed',
  CANCELLED: 'canceled',
  CANCELED: 'canceled',
};

/**
 * Reads the answer of RunPod's `/status/{id}` or a webhook. Its output is that of any version of worker-comfyui, or has the fields of a
 * custom handler (`network_volume_paths`, `s3Keys`, `images`), at the top level or inside `output`.
 */
function parse(response: unknown): ProviderAnswer {
  const body = asObject(response);
  const output = asObject(body['output']);
  const status = (nonBlankText(body['status']) ?? '').toUpperCase();
  const said = STATES[status];
  const ending = ENDINGS[status];
  const error = errorIn(body, output, said);
  let outputs = [
    ...(namesPlaces(output) ? handlerOutputs(output) : workerOutputs(body['output'])),
    ...handlerOutputs(body),
  ];
  if (outputs.length === 0 && (said === 'succeeded' || (said === undefined && !error))) outputs = unknownOutputs(body);
  const state = said ?? (error ? 'failed' : outputs.length > 0 ? 'succeeded' : 'running');
  return {
    id: nonBlankText(body['id']) ?? nonBlankText(body['job_id']) ?? nonBlankText(output['job_id']),
    // With an error and some images the job has succeeded, and the error is kept; with an error and no image it has failed.
    state: state === 'succeeded' && error && outputs.length === 0 ? 'failed' : state,
    progress: progressOf(body['progress']) ?? progressOf(output['progress']),
    error: ending === undefined ? error : { class: error?.class ?? status, message: error?.message ?? ending },
    outputs,
    prompt:
      nonBlankText(body['prompt']) ?? nonBlankText(output['prompt']) ?? nonBlankText(asObject(body['input'])['prompt']),
    model: nonBlankText(body['model']) ?? nonBlankText(output['model']),
    generation: withoutNulls({
      delayTime: body['delayTime'],
      executionTime: body['executionTime'],
      seed: output['seed'] ?? body['seed'],
      outputStatus: output['status'],
    }),
  };
}

/** Messages for final states that RunPod sends without one. */
const ENDINGS: Readonly<Record<string, string>> = {
  TIMED_OUT: 'the job took longer than it may',
  CANCELLED: 'the job was canceled',
  CANCELED: 'the job was canceled',
};

/** The SDK reports an error at the top level, a handler beside its output, worker-comfyui in a list. */
function errorIn(body: JsonObject, output: JsonObject, said: AnswerState | undefined): AnswerError | undefined {
  const places = [
    ...[body, output].flatMap((place) => ['error', 'error_message', 'errorMessage'].map((name) => place[name])),
    output['errors'],
    body['errors'],
    ...(said === 'failed' ? [body['message'], output['message']] : []),
  ];
  for (const place of places) {
    const error = errorOf(place, body, output);
    if (error) return error;
  }
  return undefined;
}

/** The outputs of a handler whose form is unknown. */
function unknownOutputs(body: JsonObject): AnswerOutput[] {
  const { output = null, ...rest } = body;
  const inputs = [rest['input']];
  const found = findOutputs({ output }, inputs);
  return found.length > 0 ? found : findOutputs(rest, inputs);
}

/** How deeply nested lists are read. */
const MAX_LISTS = 3;

/** worker-comfyui sends `images` from version 5 on, and one `message` before that. Other workers send a string or a list of strings. */
function workerOutputs(output: unknown, depth = 0): AnswerOutput[] {
  const text = nonBlankText(output);
  if (text !== undefined) return looksLikeBytes(text) ? [{ from: [bytesOf(text)] }] : [];
  if (Array.isArray(output))
    return output.flatMap((entry) => {
      const image = typeof entry === 'string' ? undefined : imageOutput(entry);
      // A generator handler sends a list of everything that it has yielded.
      return image ? [image] : depth < MAX_LISTS ? workerOutputs(entry, depth + 1) : [];
    });
  const object = asObject(output);
  const message = nonBlankText(object['message']);
  const images = object['images'] ?? object['videos'] ?? object['audio'];
  if (images !== undefined) return imageOutputs(asArray(images));
  const single =
    message ?? nonBlankText(object['image']) ?? nonBlankText(object['image_url']) ?? nonBlankText(object['video']);
  return single !== undefined && looksLikeBytes(single) ? [{ from: [bytesOf(single)] }] : [];
}

/** A URL, a data URI, or base64 that is long enough for the smallest possible image. */
function looksLikeBytes(text: string): boolean {
  return /^(https?:\/\/|data:)/i.test(text.trim()) || (text.length >= 60 && looksLikeBase64(text));
}

function imageOutputs(images: readonly unknown[]): AnswerOutput[] {
  return images.flatMap((entry) => imageOutput(entry) ?? []);
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
  for (const data of [
    nonBlankText(image['data']),
    nonBlankText(image['base64']),
    nonBlankText(image['url']),
    nonBlankText(image['image']),
  ])
    if (data !== undefined) from.push(bytesOf(data));
  if (from.length === 0) return undefined;
  return {
    from: byPriority(from),
    filename: nonBlankText(image['filename']),
    subfolder: nonBlankText(image['subfolder']) || undefined,
  };
}

/** A stored object first, then bytes, then a URL, because a URL may expire. */
function byPriority(from: readonly OutputBytes[]): OutputBytes[] {
  const rank = { object: 0, comfyui: 0, base64: 1, url: 2 } as const;
  return from.toSorted((a, b) => rank[a.type] - rank[b.type]);
}

/** Fields in which custom handlers list the paths of their outputs. */
const PLACES = ['network_volume_paths', 's3Keys', 's3_keys', 'networkVolumePaths'];

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
  const images = asArray(body['images']).map((entry) => imageOutput(entry));
  return joinOutputs([
    ...places.map((entries) => ({ entries, mayRename: true })),
    { entries: urls, mayRename: true },
    { entries: images, mayRename: false },
  ]).map((output) => ({ ...output, from: byPriority(output.from) }));
}

function only(text: string | undefined, bytes: (text: string) => OutputBytes): AnswerOutput | undefined {
  return text === undefined ? undefined : { from: [bytes(text)] };
}

/** Fields with the path of a file; the key of a stored object first. */
const PATHS = ['s3Key', 's3_key', 'networkVolumePath', 'network_volume_path', 'path', 'key'];

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
