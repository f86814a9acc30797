import { createHash } from 'node:crypto';
import path from 'node:path';
import { setImmediate as nextTick } from 'node:timers/promises';
import type { AnswerOutput } from '../../sources/answers/answer.ts';
import { storable } from '../../json/storable-text.ts';
import { openData } from '../../sources/base64.ts';

type Base64Bytes = Extract<AnswerOutput['from'][number], { type: 'base64' }>;

/**
 * By what each output of an answer is known again when its provider tells of it once more, in whatever form: `object:` where it lies,
 * `place:` its subfolder and name, `url:` its URL without the signature, `sha256:` its bytes, and `name:` its name alone, which is a
 * hint only. Hashes the bytes in the answer, so call it outside of a transaction; yields to other requests between pieces.
 */
export async function identifyOutputs(outputs: readonly AnswerOutput[]): Promise<string[][]> {
  const hashes = new Map<Base64Bytes, string>();
  for (const from of outputs.flatMap((output) => output.from))
    if (from.type === 'base64') hashes.set(from, await hashOf(from.data));
  return outputs.map((output) => identitiesOf(output, hashes));
}

function identitiesOf(output: AnswerOutput, hashes: ReadonlyMap<Base64Bytes, string>): string[] {
  const found = new Set<string>();
  const name = (filename: string) => found.add(`name:${filename}`);
  for (const from of output.from) {
    if (from.type === 'object') {
      const key = from.path.replace(/^\/+/, '');
      found.add(`object:${key}`);
      name(path.posix.basename(key));
    } else if (from.type === 'url') {
      for (const identity of ofUrl(from.url)) found.add(identity);
    } else if (from.type === 'comfyui') {
      found.add(`file:${from.node}/${from.fileType}/${from.subfolder}/${from.filename}`);
      found.add(place(from.subfolder, from.filename));
      name(path.posix.basename(from.filename));
    } else found.add(`sha256:${hashes.get(from)}`);
  }
  if (output.filename !== undefined) {
    if (output.subfolder !== undefined) found.add(place(output.subfolder, output.filename));
    name(path.posix.basename(output.filename));
  }
  return [...found].map((identity) => short(identity));
}

function place(subfolder: string, filename: string): string {
  return `place:${subfolder.replace(/^\/+|(?<!\/)\/+$/g, '')}/${filename}`;
}

/** What a signature adds to an address; another one leads to the same file. */
const SIGNATURE = /^(x-amz-.*|x-goog-.*|expires|signature|key-pair-id|policy|googleaccessid|awsaccesskeyid)$/i;
/** Azure's, which are too short to be told from names of other meaning unless its `sig` stands beside them. */
const AZURE = /^(sig|sv|se|st|sp|sr|spr|sip|skoid|sktid|skt|ske|sks|skv)$/i;

function ofUrl(url: string): string[] {
  if (!URL.canParse(url)) return [`url:${url}`];
  const parsed = new URL(url);
  const filename = parsed.searchParams.get('filename');
  // ComfyUI's /view: the same file as one that is named by its folder and name.
  if (filename !== null)
    return [
      `url:${parsed.origin}${parsed.pathname}?${parsed.searchParams.toString()}`,
      place(parsed.searchParams.get('subfolder') ?? '', filename),
      `name:${path.posix.basename(filename)}`,
    ];
  const azure = parsed.searchParams.has('sig');
  for (const parameter of Array.from(parsed.searchParams.keys()))
    if (SIGNATURE.test(parameter) || (azure && AZURE.test(parameter))) parsed.searchParams.delete(parameter);
  parsed.hash = '';
  const base = path.posix.basename(parsed.pathname);
  return [`url:${parsed.href}`, ...(base === '' ? [] : [`name:${base}`])];
}

/** Of the bytes, where they can be decoded: the same picture may come as a data URI once and as bare base64 another time. */
async function hashOf(data: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for (const piece of openData(data).pieces) {
      hash.update(piece);
      await nextTick();
    }
    return hash.digest('hex');
  } catch {
    return createHash('sha256').update(data).digest('hex');
  }
}

/** A URL without what a signature adds to it. */
export function urlIdentity(url: string): string {
  return short(ofUrl(url)[0] ?? url);
}

/** No index takes an entry of any length. */
function short(identity: string): string {
  const text = storable(identity);
  if (Buffer.byteLength(text) <= 1000) return text;
  return `${text.slice(0, 200)}…${createHash('sha256').update(identity).digest('hex')}`;
}

/** What a job's failure is known by, until outputs come after all. */
export const FAILURE = 'failure:';

/** An item's or an output's identities, taken apart once. */
interface Traits {
  /** All but the hints. */
  strong: ReadonlySet<string>;
  names: readonly string[];
  objects: readonly string[];
  /** What says where a file lies, or what is in it: both sides that say so have to agree. */
  told: readonly (readonly string[])[];
  urls: readonly string[];
}

function traitsOf(identities: Iterable<string>): Traits {
  const of: Record<string, string[]> = {};
  const strong = new Set<string>();
  for (const identity of identities) {
    const kind = identity.slice(0, identity.indexOf(':'));
    (of[kind] ??= []).push(identity.slice(kind.length + 1));
    if (kind !== 'name') strong.add(identity);
  }
  const { name = [], object = [], place: places = [], sha256 = [], url = [] } = of;
  return { strong, names: name, objects: object, told: [places, sha256], urls: url };
}

/**
 * Which of the known items each output is; undefined: a new one. An item is only ever one of the outputs. Each output is compared
 * with those alone that share something with it, for an answer may have a thousand and its job many more.
 * @param known by what each item is known
 */
export function matchOutputs(
  outputs: readonly (readonly string[])[],
  known: ReadonlyMap<string, ReadonlySet<string>>,
): (string | undefined)[] {
  const items = new Map([...known].map(([id, identities]) => [id, traitsOf(identities)]));
  const index = indexOf(items);
  const traits = outputs.map((identities) => traitsOf(identities));
  const taken = new Set<string>();
  const matches: (string | undefined)[] = outputs.map(() => undefined);
  const take = (at: number, id: string | undefined) => {
    if (id === undefined) return;
    matches[at] = id;
    taken.add(id);
  };
  for (const [at, output] of traits.entries()) take(at, strongest(output, items, index, taken));
  // A name alone decides only where nothing else can be meant.
  for (const [at, output] of traits.entries())
    if (matches[at] === undefined) take(at, onlyBearer(output, items, index, taken));
  return matches;
}

type Index = ReadonlyMap<string, readonly string[]>;

/** Items by each identity, and by the ends of the paths of their objects: a key is the end of a path under a mount point. */
function indexOf(items: ReadonlyMap<string, Traits>): Index {
  const index = new Map<string, string[]>();
  const add = (entry: string, id: string) => {
    const ids = index.get(entry);
    if (ids) ids.push(id);
    else index.set(entry, [id]);
  };
  for (const [id, { strong, names, objects }] of items) {
    for (const identity of strong) add(identity, id);
    for (const name of names) add(`name:${name}`, id);
    for (const object of objects) for (const end of endsOf(object)) add(`end:${end}`, id);
  }
  return index;
}

/** `a/b/c.png` ends in `b/c.png` and `c.png`. Of a path of absurd depth, the longest ones. */
function endsOf(key: string): string[] {
  const segments = key.split('/').slice(0, MAX_SEGMENTS);
  return segments.slice(1).map((_segment, at) =>
    key
      .split('/')
      .slice(at + 1)
      .join('/'),
  );
}
const MAX_SEGMENTS = 32;

function strongest(
  output: Traits,
  items: ReadonlyMap<string, Traits>,
  index: Index,
  taken: ReadonlySet<string>,
): string | undefined {
  const points = new Map<string, number>();
  const count = (ids: readonly string[] | undefined) => {
    for (const id of ids ?? []) if (!taken.has(id)) points.set(id, (points.get(id) ?? 0) + 1);
  };
  for (const identity of output.strong) count(index.get(identity));
  for (const object of output.objects) {
    count(index.get(`end:${object}`));
    for (const end of endsOf(object)) count(index.get(`object:${end}`));
  }
  let best: string | undefined;
  for (const [id, score] of points) {
    const item = items.get(id);
    if (item && score > (best === undefined ? 0 : (points.get(best) ?? 0)) && !contradict(output, item)) best = id;
  }
  return best;
}

function onlyBearer(
  output: Traits,
  items: ReadonlyMap<string, Traits>,
  index: Index,
  taken: ReadonlySet<string>,
): string | undefined {
  for (const name of output.names) {
    const bearers: string[] = [];
    for (const id of index.get(`name:${name}`) ?? []) {
      const item = items.get(id);
      // Two addresses are two files, unless something else says that they are one.
      if (taken.has(id) || !item || contradict(output, item) || apart(output.urls, item.urls)) continue;
      bearers.push(id);
      if (bearers.length > 1) break;
    }
    if (bearers.length === 1) return bearers[0];
  }
  return undefined;
}

/** Both sides say something, and nothing of it is the same. */
function apart(a: readonly string[], b: readonly string[]): boolean {
  return a.length > 0 && b.length > 0 && !a.some((one) => b.includes(one));
}

/** Equal names may be different files: when both sides say where a file lies, or what is in it, that has to agree. */
function contradict(a: Traits, b: Traits): boolean {
  if (a.told.some((mine, kind) => apart(mine, b.told[kind] ?? []))) return true;
  return apart(a.objects, b.objects) && !sameObject(a.objects, b.objects);
}

/** The same object by its key, and by a path under the mount point of the volume that holds it. */
function sameObject(a: readonly string[], b: readonly string[]): boolean {
  return a.some((one) => b.some((other) => one.endsWith(`/${other}`) || other.endsWith(`/${one}`)));
}
