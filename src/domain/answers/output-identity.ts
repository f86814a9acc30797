import { createHash } from 'node:crypto';
import path from 'node:path';
import { setImmediate as nextTick } from 'node:timers/promises';
import type { AnswerOutput, OutputBytes } from '../../sources/answers/answer.ts';
import { storable } from '../../json/storable-text.ts';
import { openData } from '../../sources/base64.ts';

type Base64Bytes = Extract<OutputBytes, { type: 'base64' }>;

/**
 * The identities by which each output of an answer is recognised when its provider reports it again in another form: `object:`
 * its store and key, `place:` its subfolder and name, `url:` its URL without the signature, `sha256:` its bytes, and `name:` its
 * name alone, which is only a hint. Hashes the bytes in the answer, so call it outside of a transaction; it yields to other
 * requests between pieces.
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

/** Query parameters that a signature adds to a URL; with another signature the URL leads to the same file. */
const SIGNATURE = /^(x-amz-.*|x-goog-.*|expires|signature|key-pair-id|policy|googleaccessid|awsaccesskeyid)$/i;
/** Azure's parameters are too short to be distinctive: they count only when `sig` is among them. */
const AZURE = /^(sig|sv|se|st|sp|sr|spr|sip|skoid|sktid|skt|ske|sks|skv)$/i;

function ofUrl(url: string): string[] {
  if (!URL.canParse(url)) return [`url:${url}`];
  const parsed = new URL(url);
  const filename = parsed.searchParams.get('filename');
  // ComfyUI's /view returns the file that `place:` names by its folder and name.
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

/** Hashes the decoded bytes: the same picture may come once as a data URI and once as bare base64. */
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

/**
 * The SHA-256 in hex of the bytes in an output's base64 places, from the output's identities. Empty where several places hold
 * the same bytes, for then the identities do not tell whose they are.
 */
export function hashesOf({ from }: AnswerOutput, identities: readonly string[]): Map<OutputBytes, string> {
  const prefix = 'sha256:';
  const hashes = identities.filter((each) => each.startsWith(prefix)).map((each) => each.slice(prefix.length));
  const places = from.filter((each) => each.type === 'base64');
  return new Map(hashes.length === places.length ? places.map((place, at) => [place, hashes[at] ?? '']) : []);
}

/** Removes the parameters of a signature from a URL. */
export function urlIdentity(url: string): string {
  return short(ofUrl(url)[0] ?? url);
}

/** Hashes long identities: an index entry has a maximum size. */
function short(identity: string): string {
  const text = storable(identity);
  if (Buffer.byteLength(text) <= 1000) return text;
  return `${text.slice(0, 200)}…${createHash('sha256').update(identity).digest('hex')}`;
}

/** Identity of a job's failure item, until the job reports outputs after all. */
export const FAILURE = 'failure:';

/** The parsed identities of an item or an output. */
interface Traits {
  /** All identities but the hints. */
  strong: ReadonlySet<string>;
  names: readonly string[];
  objects: readonly string[];
  /** Where the file lies and what it contains: when both sides state one, they must agree. */
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
 * For each output, the known item that it is; undefined: it is new. Each item matches at most one output. An output is compared
 * only with items that share an identity with it: an answer may have a thousand outputs and its job many more.
 * @param known the identities of each known item
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
  // A name alone decides only when it is unambiguous.
  for (const [at, output] of traits.entries())
    if (matches[at] === undefined) take(at, onlyBearer(output, items, index, taken));
  return matches;
}

type Index = ReadonlyMap<string, readonly string[]>;

/** Indexes items by identity, and by the ends of their objects' paths: a key is the end of a path under a mount point. */
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

/** `a/b/c.png` ends in `b/c.png` and `c.png`. Very deep paths yield only their longest ends. */
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
      // Two URLs are two files, unless another identity says that they are one.
      if (taken.has(id) || !item || contradict(output, item) || apart(output.urls, item.urls)) continue;
      bearers.push(id);
      if (bearers.length > 1) break;
    }
    if (bearers.length === 1) return bearers[0];
  }
  return undefined;
}

/** Both sides state something and share none of it. */
function apart(a: readonly string[], b: readonly string[]): boolean {
  return a.length > 0 && b.length > 0 && !a.some((one) => b.includes(one));
}

/** Different files may have equal names: when both sides state where a file lies or what it contains, those must agree. */
function contradict(a: Traits, b: Traits): boolean {
  if (a.told.some((mine, kind) => apart(mine, b.told[kind] ?? []))) return true;
  return apart(a.objects, b.objects) && !sameObject(a.objects, b.objects);
}

/** Whether a key and a path under the mount point of its store's volume name the same object. */
function sameObject(a: readonly string[], b: readonly string[]): boolean {
  return a.some((one) => b.some((other) => one.endsWith(`/${other}`) || other.endsWith(`/${one}`)));
}
