import { nonBlankText } from './json-access.ts';
import type { Json, JsonObject } from '../../json/json.ts';
import { looksLikeBase64 } from '../base64.ts';
import { mediaTypeByExtension } from '../../media/media-type.ts';
import { type AnswerOutput, type OutputBytes, bytesOf } from './answer.ts';

const MAX_DEPTH = 12;
const MAX_VALUES = 20_000;
/** Bounds the search. It is above the limit on the outputs of one answer, so that an answer with too many is refused rather than cut. */
const MAX_FOUND_OUTPUTS = 5000;

/** Fields in which an answer repeats its request. */
const INPUT =
  /^(inputs?|init|source|reference|ref|control|conditioning|original|prompts?|negative|params?|parameters|args|arguments|request)(_|$)/;
/** Fields about the job rather than its results. */
const ABOUT =
  /^(logs?|webhook|callback|errors?|traceback|annotations|citations|workflow|config|settings|loras?|checkpoint|model|metadata|user|endpoint|upload|put|dashboard|docs|homepage|license|status_url|cancel_url|response_url)(_|$)/;
/** Exceptions from `ABOUT`: these hold outputs of 3D models. */
const MODEL_FILE = /^model_(urls?|mesh(es)?|glb|files?|data|base64)$/;
const NAMES_MEDIA =
  /(^|_)(urls?|uris?|images?|img|pictures?|photos?|videos?|audios?|sounds?|music|gifs?|files?|mesh(es)?|glb|results?|outputs?|media|src|href|link|download|artifacts?|samples?|data)(_|$)/;
const NAMES_BYTES = /(^|_)(b64|base64)(_|$)/;
/** Fields of one object that describe the same file. */
const SAME_FILE = new Set(['url', 'uri', 'data', 'base64', 'b64', 'b64_json']);

/** Reads facts about a file from the object that holds its URL. */
type Describe = (file: JsonObject) => Partial<AnswerOutput>;

/**
 * Finds the outputs in an answer of unknown form: URLs with a media file's extension or under a name like `image_url`, data URIs, and
 * base64 under a name that says so.
 * @param inputs the request's values; an output that equals one of them is left out
 * @returns in the order of the answer, each output once
 */
export function findOutputs(answer: unknown, inputs: readonly unknown[] = [], describe?: Describe): AnswerOutput[] {
  const search = new Search(describe);
  for (const input of inputs) search.exclude((input ?? null) as Json, 0);
  search.look((answer ?? null) as Json, '', 0);
  return search.found();
}

class Search {
  readonly #outputs: AnswerOutput[] = [];
  readonly #inputs = new Set<string>();
  readonly #describe: Describe;
  #left = MAX_VALUES;

  constructor(describe: Describe = () => ({})) {
    this.#describe = describe;
  }

  found(): AnswerOutput[] {
    const seen = new Set<string>(this.#inputs);
    return this.#outputs.flatMap((output) => {
      const from = output.from.filter((each) => !seen.has(textOf(each)));
      if (from.length < output.from.length) return [];
      for (const each of from) seen.add(textOf(each));
      return [output];
    });
  }

  exclude(value: Json, depth: number): void {
    this.#left -= 1;
    if (depth > MAX_DEPTH || this.#left < 0) return;
    if (typeof value === 'string') this.#inputs.add(value.trim());
    else if (typeof value === 'object' && value !== null)
      for (const entry of Object.values(value)) this.exclude(entry, depth + 1);
  }

  look(value: Json, name: string, depth: number): void {
    this.#left -= 1;
    if (depth > MAX_DEPTH || this.#left < 0 || this.#outputs.length >= MAX_FOUND_OUTPUTS) return;
    if (typeof value === 'string') {
      const bytes = bytesIn(value, name);
      if (bytes) this.#outputs.push({ from: [bytes] });
    } else if (Array.isArray(value)) {
      for (const entry of value) this.look(entry, name, depth + 1);
    } else if (value !== null && typeof value === 'object') this.#lookInside(value, depth);
  }

  #lookInside(object: JsonObject, depth: number): void {
    const file: OutputBytes[] = [];
    const others: [string, Json][] = [];
    for (const [key, value] of Object.entries(object)) {
      const name = snake(key);
      const isText = typeof value === 'string';
      if (INPUT.test(name)) this.exclude(value, depth + 1);
      else if (isAbout(name, value)) continue;
      else if (isText && SAME_FILE.has(name)) {
        const bytes = bytesIn(value, name);
        if (bytes) file.push(bytes);
      } else others.push([name, value]);
    }
    if (file.length > 0) this.#outputs.push({ from: file, ...namesOf(object), ...this.#describe(object) });
    for (const [name, value] of others) this.look(value, name, depth + 1);
  }
}

function isAbout(name: string, value: Json): boolean {
  // Replicate's `urls` object links to the prediction itself; a list of `urls` holds outputs.
  if (name === 'urls') return !Array.isArray(value);
  return ABOUT.test(name) && !MODEL_FILE.test(name);
}

function namesOf(file: JsonObject): Partial<AnswerOutput> {
  const filename = nonBlankText(file['filename']) ?? nonBlankText(file['file_name']);
  const contentType = nonBlankText(file['content_type']) ?? nonBlankText(file['contentType']);
  return { ...(filename !== undefined && { filename }), ...(contentType !== undefined && { contentType }) };
}

/** @param name the name of the nearest enclosing field */
function bytesIn(text: string, name: string): OutputBytes | undefined {
  const trimmed = text.trim();
  if (/^data:(image|audio|video|model|application)\//i.test(trimmed)) return bytesOf(trimmed);
  if (/^https?:\/\//i.test(trimmed))
    return !/\s/.test(trimmed) && (NAMES_MEDIA.test(name) || endsAsMedia(trimmed)) ? bytesOf(trimmed) : undefined;
  // Hashes and ids use the same letters. They are shorter, and rarely under a name like base64.
  const long = NAMES_BYTES.test(name) ? 60 : NAMES_MEDIA.test(name) ? 200 : Number.POSITIVE_INFINITY;
  return trimmed.length >= long && looksLikeBase64(trimmed) ? bytesOf(trimmed) : undefined;
}

function endsAsMedia(url: string): boolean {
  const ext = URL.canParse(url) ? /\.([a-z0-9]{1,8})$/i.exec(new URL(url).pathname)?.[1] : undefined;
  return ext !== undefined && mediaTypeByExtension(ext) !== undefined;
}

function textOf(bytes: OutputBytes): string {
  return bytes.type === 'url' ? bytes.url : bytes.type === 'base64' ? bytes.data : '';
}

/** `imageUrl` and `image-url` as `image_url`. */
function snake(name: string): string {
  return name
    .slice(0, 100)
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toLowerCase();
}
