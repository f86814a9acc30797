import type { JsonObject } from '../../json/json.ts';
import { looksLikeBase64 } from '../base64.ts';
import { type AnswerError, errorOf } from './answer-error.ts';
import {
  type AnswerOutput,
  type AnswerState,
  type OutputBytes,
  type ProviderAnswer,
  asArray,
  asObject,
  asText,
  bytesOf,
  present,
  progressOf,
} from './answer.ts';
import { findOutputs } from './find-outputs.ts';
import { joinOutputs } from './same-outputs.ts';

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
 * RunPod: the body of `/status/{id}` and of its webhook, with worker-comfyui's output in any of its ages, or with the fields of a
 * handler of one's own (`network_volume_paths`, `s3Keys`, `images`), at the top or inside of `output`.
 */
export function runpodAnswer(response: unknown): ProviderAnswer {
  const body = asObject(response);
  const output = asObject(body['output']);
  const status = (asText(body['status']) ?? '').toUpperCase();
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
    id: asText(body['id']) ?? asText(body['job_id']) ?? asText(output['job_id']),
    // Some images and an error about another is a success with a note; none at all is a failure.
    state: state === 'succeeded' && error && outputs.length === 0 ? 'failed' : state,
    progress: progressOf(body['progress']) ?? progressOf(output['progress']),
    error: ending === undefined ? error : { class: error?.class ?? status, message: error?.message ?? ending },
    outputs,
    prompt: asText(body['prompt']) ?? asText(output['prompt']) ?? asText(asObject(body['input'])['prompt']),
    model: asText(body['model']) ?? asText(output['model']),
    generation: present({
      delayTime: body['delayTime'],
      executionTime: body['executionTime'],
      seed: output['seed'] ?? body['seed'],
      outputStatus: output['status'],
    }),
  };
}

/** Ends of which RunPod itself says no more. */
const ENDINGS: Readonly<Record<string, string>> = {
  TIMED_OUT: 'the job took longer than it may',
  CANCELLED: 'the job was canceled',
  CANCELED: 'the job was canceled',
};

/** By the SDK at the top, by a handler beside its output, by worker-comfyui as a list. */
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

/** The outputs of a handler whose form nobody knows. */
function unknownOutputs(body: JsonObject): AnswerOutput[] {
  const { output = null, ...rest } = body;
  const inputs = [rest['input']];
  const found = findOutputs({ output }, inputs);
  return found.length > 0 ? found : findOutputs(rest, inputs);
}

/** Lists within each other that are followed. */
const MAX_LISTS = 3;

/** worker-comfyui from version 5 on: `images` with a type; before: one `message`. Other workers: a text, or a list of them. */
function workerOutputs(output: unknown, depth = 0): AnswerOutput[] {
  const text = asText(output);
  if (text !== undefined) return looksLikeBytes(text) ? [{ from: [bytesOf(text)] }] : [];
  if (Array.isArray(output))
    return output.flatMap((entry) => {
      const image = typeof entry === 'string' ? undefined : imageOutput(entry);
      // What a generator has yielded comes as a list of whole outputs.
      return image ? [image] : depth < MAX_LISTS ? workerOutputs(entry, depth + 1) : [];
    });
  const object = asObject(output);
  const message = asText(object['message']);
  const images = object['images'] ?? object['videos'] ?? object['audio'];
  if (images !== undefined) return imageOutputs(asArray(images));
  const single = message ?? asText(object['image']) ?? asText(object['image_url']) ?? asText(object['video']);
  return single !== undefined && looksLikeBytes(single) ? [{ from: [bytesOf(single)] }] : [];
}

/** Long enough for the smallest picture there is, and of the letters that base64 has. */
function looksLikeBytes(text: string): boolean {
  return /^(https?:\/\/|data:)/i.test(text.trim()) || (text.length >= 60 && looksLikeBase64(text));
}

function imageOutputs(images: readonly unknown[]): AnswerOutput[] {
  return images.flatMap((entry) => imageOutput(entry) ?? []);
}

/** An entry of a handler's `images`: a text, or a file with its bytes, its URL and where it was put already; undefined: none of them. */
function imageOutput(entry: unknown): AnswerOutput | undefined {
  const text = asText(entry);
  if (text !== undefined) return { from: [bytesOf(text)] };
  const image = asObject(entry);
  if (image['type'] === 'temp') return undefined;
  const from: OutputBytes[] = [];
  for (const path of new Set(PATHS.flatMap((name) => asText(image[name]) ?? [])))
    from.push(isUrl(path) ? bytesOf(path) : { type: 'object', path });
  for (const data of [asText(image['data']), asText(image['base64']), asText(image['url']), asText(image['image'])])
    if (data !== undefined) from.push(bytesOf(data));
  if (from.length === 0) return undefined;
  return {
    from: byPriority(from),
    filename: asText(image['filename']),
    subfolder: asText(image['subfolder']) || undefined,
  };
}

/** The stored object first, then the bytes, then a URL that may die. */
function byPriority(from: readonly OutputBytes[]): OutputBytes[] {
  const rank = { object: 0, comfyui: 0, base64: 1, url: 2 } as const;
  return from.toSorted((a, b) => rank[a.type] - rank[b.type]);
}

/** Fields in which handlers list where they have put things. */
const PLACES = ['network_volume_paths', 's3Keys', 's3_keys', 'networkVolumePaths'];

/** Whether an output is of a handler of one's own, which names where it has put things. */
function namesPlaces(output: Record<string, unknown>): boolean {
  return [...PLACES, 'resultUrls', 'result_urls'].some((name) => name in output);
}

/**
 * The fields of a handler of one's own. They name the same outputs in several ways: paths, keys, result URLs and images, by name or
 * by position. A picture that is not surely the one that lies at a path is an output of its own, for else its bytes would be lost.
 */
function handlerOutputs(body: Record<string, unknown>): AnswerOutput[] {
  const places = PLACES.map((name) =>
    asArray(body[name]).map((entry) => only(pathOf(entry), (path) => ({ type: 'object', path }))),
  );
  const urls = asArray(body['resultUrls'] ?? body['result_urls']).map((entry) =>
    only(asText(entry) ?? asText(asObject(entry)['url']), (url) => ({ type: 'url', url })),
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

/** Names of the fields that say where a file was put, the one in a store first. */
const PATHS = ['s3Key', 's3_key', 'networkVolumePath', 'network_volume_path', 'path', 'key'];

function pathOf(entry: unknown): string | undefined {
  const object = asObject(entry);
  const filename = asText(object['filename']);
  const subfolder = asText(object['subfolder'])?.replace(/(?<!\/)\/+$/, '');
  return (
    asText(entry) ??
    PATHS.map((name) => asText(object[name])).find((path) => path !== undefined) ??
    // Any other folder could be one below `outputs`, or below the user's.
    (filename !== undefined && subfolder !== undefined && /^(\/|outputs(\/|$))/.test(subfolder)
      ? `${subfolder}/${filename}`
      : undefined)
  );
}

function isUrl(text: string): boolean {
  return /^https?:\/\//i.test(text.trim());
}
