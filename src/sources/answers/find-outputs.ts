import type { Json, JsonObject } from '../../json/json.ts';
import type { AnswerOutput, IgnoredOutput, OutputBytes } from './answer.ts';
import { expiryOf, factsOf, namesOf } from './file-facts.ts';
import { asArray, nonBlankText, withoutNulls } from './json-access.ts';
import { MIRROR, NAMES_MEDIA, WATERMARKED, fileOf, isDraft, isRequest, reasonAgainst, snake } from './media-names.ts';
import { mediaIn, sideFile } from './media-text.ts';
import { type Refusal, refusalIn } from './refusals.ts';
import { jsonIn, linksIn } from './texts-within.ts';

const MAX_DEPTH = 24;
/** Looking at them takes some tens of milliseconds, in which nothing else happens. */
const MAX_VALUES = 40_000;
/** Bounds the search. It is above the limit on the outputs of one answer, so that an answer with too many is refused rather than cut. */
const MAX_FOUND_OUTPUTS = 5000;
const MAX_IGNORED = 100;
const MAX_JSON = 256 * 1024;

export interface SearchOptions {
  /** The request's values; an output that equals one of them is left out. */
  inputs?: readonly unknown[];
  /** Every address below these fields of the answer is a file, whatever its name. */
  anyNameIn?: readonly string[];
  /** Fields of a file's object with its path or key in a store, best first. */
  pathNames?: readonly string[];
  /** Fields at the top that were read already. */
  skip?: readonly string[];
}

export interface FoundOutputs {
  /** In the order of the answer, each output once. */
  outputs: AnswerOutput[];
  ignored: IgnoredOutput[];
  /** Why the provider kept outputs back. */
  refusals: Refusal[];
}

const REASONS = {
  echo: 'It repeats the request.',
  about: 'It is about the job, no result of it.',
  view: 'It is a page or a stream, no file.',
  watermark: 'It is a copy with a watermark.',
  error: 'It belongs to an error.',
  draft: 'It is a draft or a temporary file.',
  beyond: `From here on nothing was read: an answer is searched for ${MAX_VALUES} values, ${MAX_DEPTH} levels deep.`,
} as const;

/**
 * Finds the outputs in an answer of any form: URLs with a media file's extension or under a name like `image_url`, data URIs, base64 under
 * a name that says so, and whatever begins as a media file does. What is media and no output is told, with the reason.
 */
export function searchOutputs(answer: unknown, options: SearchOptions = {}): FoundOutputs {
  const search = new Search(options);
  for (const input of options.inputs ?? []) search.exclude((input ?? null) as Json, 0);
  search.look((answer ?? null) as Json, START, 0);
  return search.found();
}

interface Place {
  /** The nearest enclosing field that has a name, in snake case. */
  name: string;
  path: string;
  /** Why nothing here is an output. */
  against?: string | undefined;
  anyName?: boolean;
  strict?: boolean;
  /** The list that holds it. */
  list?: string | undefined;
  /** What the enclosing entry of a list says of its files. */
  facts?: JsonObject | undefined;
  /** The file names of the enclosing object. */
  named?: Partial<AnswerOutput> | undefined;
}

const START: Place = { name: '', path: '' };

interface Candidate {
  output: AnswerOutput;
  place: Place;
}

class Search {
  readonly #candidates: Candidate[] = [];
  readonly #ignored: IgnoredOutput[] = [];
  readonly #refusals: Refusal[] = [];
  readonly #inputs = new Set<string>();
  readonly #options: SearchOptions;
  #left = MAX_VALUES;
  #isCut = false;
  /** In characters. */
  #jsonLeft = MAX_JSON;

  constructor(options: SearchOptions) {
    this.#options = options;
  }

  found(): FoundOutputs {
    /** Each text, with the list in which it stood. */
    const seen = new Map<string, string | undefined>();
    const outputs = this.#candidates.flatMap(({ output, place }) => {
      const texts = output.from.map((each) => textOf(each));
      if (texts.some((text) => this.#inputs.has(text))) {
        this.#ignore(place, output.from[0], REASONS.echo);
        return [];
      }
      // Equal bytes in one list are several outputs; anywhere else they are told twice.
      const isKnown = (text: string, index: number) =>
        seen.has(text) &&
        (output.from[index]?.type !== 'base64' || place.list === undefined || seen.get(text) !== place.list);
      if (texts.some((text, index) => isKnown(text, index))) return [];
      for (const text of texts) seen.set(text, place.list);
      return [output];
    });
    return {
      outputs,
      ignored: this.#ignored.filter(({ url }) => url === undefined || !seen.has(url)),
      refusals: this.#refusals,
    };
  }

  exclude(value: Json, depth: number): void {
    this.#left -= 1;
    if (depth > MAX_DEPTH || this.#left < 0) return;
    if (typeof value === 'string') this.#inputs.add(value.trim());
    else if (typeof value === 'object' && value !== null)
      for (const entry of Object.values(value)) this.exclude(entry, depth + 1);
  }

  look(value: Json, place: Place, depth: number): void {
    this.#left -= 1;
    if (depth > MAX_DEPTH || this.#left < 0 || this.#candidates.length >= MAX_FOUND_OUTPUTS) {
      if (!this.#isCut) this.#ignored.push({ at: place.path.slice(0, 500), reason: REASONS.beyond });
      this.#isCut = true;
      return;
    }
    if (typeof value === 'string') {
      const bytes = mediaIn(value, { ...place, contentType: place.named?.contentType });
      if (bytes) this.#add([bytes], place, place.facts);
      else this.#lookWithin(value, place, depth);
    } else if (Array.isArray(value)) {
      for (const [index, entry] of value.entries())
        this.look(entry, { ...place, path: `${place.path}[${index}]`, list: place.path }, depth + 1);
    } else if (value !== null && typeof value === 'object') this.#lookInside(value, place, depth);
  }

  /** Some put JSON into a text, or write of a picture as Markdown does. */
  #lookWithin(text: string, place: Place, depth: number): void {
    const json = jsonIn(text, this.#jsonLeft);
    if (json) {
      this.#jsonLeft -= text.length;
      this.look(json, place, depth + 1);
    } else
      for (const { address, isImage } of linksIn(text)) {
        const bytes = mediaIn(address, { name: '', anyName: isImage, strict: !isImage });
        if (bytes) this.#add([bytes], place, place.facts, {});
      }
  }

  #lookInside(object: JsonObject, place: Place, depth: number): void {
    const own = factsOf(object, place.list !== undefined);
    const facts = { ...place.facts, ...own };
    const refusal = place.against === undefined ? refusalIn(object) : undefined;
    if (refusal) this.#refusals.push(refusal);
    const against =
      place.against ??
      (isDraft(object) ? REASONS.draft : undefined) ??
      (isRequest(object) ? REASONS.echo : undefined) ??
      (refusal?.withholds === true ? `The provider withheld it: ${refusal.class ?? refusal.message}` : undefined);
    const named = namesOf(object);
    const expiry = expiryOf(object);
    const files = new Map<string, { from: OutputBytes; place: Place }[]>();
    const addPlace = (name: string, from: OutputBytes, at: Place) => {
      const file = fileOf(name);
      files.set(file, [...(files.get(file) ?? []), { from, place: at }]);
    };
    const others: [Json, Place][] = [];
    for (const [key, value] of Object.entries(object)) {
      if (depth === 0 && this.#options.skip?.includes(key) === true) continue;
      const snaked = snake(key);
      // Numbers and ids of nodes name no field.
      const name = NAMES_MEDIA.test(snaked) || !/^\d*$/.test(snaked) ? snaked : place.name;
      const child = this.#childPlace(place, key, name, value);
      const inner: Place = { ...child, against: child.against ?? against, named };
      if (typeof value === 'string') {
        const path = inner.against === undefined ? this.#pathIn(key, value) : undefined;
        const bytes =
          path ?? mediaIn(value, { ...inner, contentType: fileOf(name) === '' ? named.contentType : undefined });
        if (bytes) addPlace(name, bytes.type === 'url' && expiry ? { ...bytes, expiresAt: expiry } : bytes, inner);
        else this.#lookWithin(value, { ...inner, facts }, depth);
      } else others.push([value, { ...inner, facts: place.list === undefined ? {} : facts }]);
    }
    // A file's own name belongs to it alone.
    const single = files.size === 1;
    const isMarked = (file: string) => !single && WATERMARKED.test(file);
    for (const [file, places] of files)
      if (isMarked(file))
        for (const { from, place: at } of places) this.#ignore(at, from, at.against ?? REASONS.watermark);
      else
        for (const group of apartByMedia(places))
          this.#add(
            byPriority(group.map(({ from }) => from)),
            group[0]?.place ?? place,
            facts,
            single || file === '' ? named : {},
          );
    this.#lookAtLists(others, object, facts, depth);
  }

  #childPlace(place: Place, key: string, name: string, value: Json): Place {
    const path = place.path === '' ? key.slice(0, 100) : `${place.path}.${key.slice(0, 100)}`;
    const anyName = place.anyName === true || (place.path === '' && this.#options.anyNameIn?.includes(key) === true);
    const reason = anyName && place.path !== '' ? undefined : reasonAgainst(name, value);
    if (reason === 'echo') this.exclude(value, 0);
    // `model` names what made it, and of some workers it is the mesh that was made.
    const isMesh = reason === 'about' && /^model$/.test(name) && place.against === undefined;
    return {
      name,
      path,
      against: place.against ?? (reason === undefined || isMesh ? undefined : REASONS[reason]),
      anyName,
      strict: place.strict === true || (reason !== undefined && reason !== 'view'),
      list: place.list,
    };
  }

  /** Lists beside one another may tell of the same files: addresses in one, bytes in the other, seeds in a third. */
  #lookAtLists(others: readonly [Json, Place][], object: JsonObject, facts: JsonObject, depth: number): void {
    const seeds = asArray(object['seeds'] ?? object['all_seeds']);
    const endings = asArray(object['finish_reasons'] ?? object['finishReasons']);
    const lists = new Map<string, [Json, Place]>();
    for (const [value, place] of others) {
      const texts = asArray(value);
      const isList =
        texts.length > 0 && texts.every((entry) => typeof entry === 'string') && place.against === undefined;
      const twin = isList ? lists.get(`${fileOf(place.name)} ${texts.length}`) : undefined;
      if (isList && !twin) lists.set(`${fileOf(place.name)} ${texts.length}`, [value, place]);
      const isBeside = seeds.length === texts.length || endings.length === texts.length;
      if (isList && (isBeside || (twin && areTwins(twin, [value, place])))) {
        for (const [index, entry] of texts.entries()) {
          const other = twin && asArray(twin[0])[index];
          const at = { ...place, path: `${place.path}[${index}]`, list: place.path };
          const from = [other, entry].flatMap((text) => (typeof text === 'string' ? (mediaIn(text, place) ?? []) : []));
          if (from.length === 0) continue;
          const ending = nonBlankText(endings[index]);
          const refusal = ending === undefined ? undefined : refusalIn({ finish_reason: ending });
          if (refusal) this.#refusals.push(refusal);
          if (twin) this.#take(from);
          this.#add(
            byPriority(from),
            { ...at, against: refusal && `The provider withheld it: ${ending}` },
            {
              ...facts,
              ...withoutNulls({ seed: seeds[index] }),
            },
          );
        }
      } else this.look(value, place, depth + 1);
    }
  }

  /** Takes back candidates that stand for the same bytes. */
  #take(from: readonly OutputBytes[]): void {
    const texts = new Set(from.map((each) => textOf(each)));
    const at = this.#candidates.findIndex(({ output }) => output.from.some((each) => texts.has(textOf(each))));
    if (at !== -1) this.#candidates.splice(at, 1);
  }

  #pathIn(key: string, value: string): OutputBytes | undefined {
    if (this.#options.pathNames?.includes(key) !== true || /^[a-z]+:/i.test(value) || !/[./]/.test(value))
      return undefined;
    return value.trim() === '' ? undefined : { type: 'object', path: value };
  }

  #add(from: OutputBytes[], place: Place, facts: JsonObject | undefined, named = place.named): void {
    const [first] = from;
    if (!first) return;
    const side = sideFile(first, named?.filename, named?.contentType);
    if (place.against !== undefined) this.#ignore(place, first, place.against);
    else if (side !== undefined) this.#ignore(place, first, `It is no image, audio, video or 3D model (${side}).`);
    else
      this.#candidates.push({
        place,
        output: { from, ...named, ...(facts && Object.keys(facts).length > 0 && { generation: facts }) },
      });
  }

  #ignore({ path }: Place, from: OutputBytes | undefined, reason: string): void {
    const ignored = ignoredOutput(path, from, reason);
    const isKnown = ignored.url !== undefined && this.#ignored.some((each) => each.url === ignored.url);
    if (this.#ignored.length < MAX_IGNORED && !isKnown) this.#ignored.push(ignored);
  }
}

export function ignoredOutput(at: string, from: OutputBytes | undefined, reason: string): IgnoredOutput {
  const url = from?.type === 'url' ? from.url : from?.type === 'object' ? from.path : undefined;
  return { at: at.slice(0, 500), ...(url !== undefined && { url: url.slice(0, 2000) }), reason };
}

const kindOf = ([value, place]: [Json, Place]) => mediaIn(nonBlankText(asArray(value)[0]) ?? '', place)?.type;

/** Whether two lists tell of the same files: one has bytes, or is said to be a mirror of the other. */
function areTwins(a: [Json, Place], b: [Json, Place]): boolean {
  return kindOf(a) !== kindOf(b) || MIRROR.test(a[1].name) !== MIRROR.test(b[1].name);
}

/** Fields of one object may be about a picture and a video all the same: `url` and `motion_url`. */
function apartByMedia<T extends { from: OutputBytes }>(places: readonly T[]): T[][] {
  const groups = new Map<string, T[]>();
  for (const place of places) {
    const media =
      /\.(mp4|webm|mov|mkv|glb|obj|fbx|mp3|wav|ogg|flac)(\?|$)/i
        .exec(textOf(place.from).slice(0, 4096))?.[1]
        ?.toLowerCase() ?? '';
    groups.set(media, [...(groups.get(media) ?? []), place]);
  }
  if (groups.size <= 1) return [...groups.values()];
  // Bytes have no ending; they belong to the first.
  const bytes = (groups.get('') ?? []).filter(({ from }) => from.type === 'base64');
  const [first, ...rest] = [...groups.values()].map((group) => group.filter((place) => !bytes.includes(place)));
  return [[...(first ?? []), ...bytes], ...rest].filter((group) => group.length > 0);
}

/** A stored object first, then bytes, then a URL, because a URL may expire. */
export function byPriority(from: readonly OutputBytes[]): OutputBytes[] {
  const rank = { object: 0, comfyui: 0, base64: 1, url: 2 } as const;
  return from.toSorted((a, b) => rank[a.type] - rank[b.type]);
}

function textOf(bytes: OutputBytes): string {
  if (bytes.type === 'url') return bytes.url;
  if (bytes.type === 'base64') return bytes.data.trim();
  return bytes.type === 'object' ? bytes.path : '';
}
