import { createHash } from 'node:crypto';
import path from 'node:path';
import type { AnswerOutput } from '../sources/answers/answer.ts';
import { decodeData } from '../sources/base64.ts';

/**
 * By what an output is known again when its provider tells of it once more, in whatever form: `object:` where it lies, `place:` its
 * subfolder and name, `url:` its address without the signature, `sha256:` its bytes, and `name:` its name alone, which is a hint only.
 */
export function identitiesOf(output: AnswerOutput): string[] {
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
    } else found.add(`sha256:${hashOf(from.data)}`);
  }
  if (output.filename !== undefined) {
    if (output.subfolder !== undefined) found.add(place(output.subfolder, output.filename));
    name(path.posix.basename(output.filename));
  }
  return [...found].map((identity) => short(identity));
}

function place(subfolder: string, filename: string): string {
  return `place:${subfolder.replace(/^\/+|\/+$/g, '')}/${filename}`;
}

const SIGNATURE =
  /^(x-amz-|x-goog-|expires$|signature$|key-pair-id$|policy$|googleaccessid$|awsaccesskeyid$|s[a-z]{1,2}$|token$)/i;

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
  for (const parameter of Array.from(parsed.searchParams.keys()))
    if (SIGNATURE.test(parameter)) parsed.searchParams.delete(parameter);
  parsed.hash = '';
  const base = path.posix.basename(parsed.pathname);
  return [`url:${parsed.href}`, ...(base === '' ? [] : [`name:${base}`])];
}

/** Of the bytes, where they can be decoded: the same picture may come as a data URI once and as bare base64 another time. */
function hashOf(data: string): string {
  const hash = createHash('sha256');
  try {
    return hash.update(decodeData(data).bytes).digest('hex');
  } catch {
    return hash.update(data).digest('hex');
  }
}

/** No index takes an entry of any length. */
function short(identity: string): string {
  const storable = identity.toWellFormed().replaceAll('\0', '\u{FFFD}');
  if (Buffer.byteLength(storable) <= 1000) return storable;
  return `${storable.slice(0, 200)}…${createHash('sha256').update(identity).digest('hex')}`;
}

/** What a job's failure is known by, until outputs come after all. */
export const FAILURE = 'failure:';

/**
 * Which of the known items each output is; undefined: a new one. An item is only ever one of the outputs.
 * @param known by what each item is known
 */
export function matchOutputs(
  outputs: readonly (readonly string[])[],
  known: ReadonlyMap<string, ReadonlySet<string>>,
): (string | undefined)[] {
  const taken = new Set<string>();
  const matches: (string | undefined)[] = outputs.map(() => undefined);
  const take = (score: (identities: readonly string[], item: ReadonlySet<string>) => number) => {
    for (const [index, identities] of outputs.entries()) {
      if (matches[index] !== undefined) continue;
      const scored = [...known]
        .filter(([id, item]) => !taken.has(id) && !contradict(identities, item))
        .map(([id, item]) => ({ id, points: score(identities, item) }))
        .filter(({ points }) => points > 0)
        .toSorted((a, b) => b.points - a.points);
      const [best] = scored;
      if (!best) continue;
      matches[index] = best.id;
      taken.add(best.id);
    }
  };
  take(
    (identities, item) =>
      identities.filter((identity) => !isHint(identity) && item.has(identity)).length + sameObject(identities, item),
  );
  // A name alone decides only where nothing else can be meant.
  take((identities, item) => {
    const shared = identities.find((identity) => isHint(identity) && item.has(identity));
    if (shared === undefined) return 0;
    const bearers = [...known].filter(
      ([id, other]) => !taken.has(id) && other.has(shared) && !contradict(identities, other),
    );
    return bearers.length === 1 ? 1 : 0;
  });
  return matches;
}

function isHint(identity: string): boolean {
  return identity.startsWith('name:');
}

function ofKind(identities: Iterable<string>, kind: string): string[] {
  return [...identities].filter((identity) => identity.startsWith(kind)).map((identity) => identity.slice(kind.length));
}

/** The same object by its key, and by a path under the mount point of the volume that holds it. */
function sameObject(a: Iterable<string>, b: Iterable<string>): number {
  const others = ofKind(b, 'object:');
  return ofKind(a, 'object:').some((one) =>
    others.some((other) => one.endsWith(`/${other}`) || other.endsWith(`/${one}`)),
  )
    ? 1
    : 0;
}

/** Equal names may be different files: when both sides say where a file lies, or what is in it, that has to agree. */
function contradict(a: readonly string[], b: ReadonlySet<string>): boolean {
  return ['object:', 'place:', 'sha256:'].some((kind) => {
    const mine = ofKind(a, kind);
    const theirs = ofKind(b, kind);
    if (mine.length === 0 || theirs.length === 0) return false;
    if (mine.some((identity) => theirs.includes(identity))) return false;
    return kind !== 'object:' || sameObject(a, b) === 0;
  });
}
