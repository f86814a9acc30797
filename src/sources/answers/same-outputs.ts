import path from 'node:path';
import type { AnswerOutput, OutputBytes } from './answer.ts';

/** One of several lists that describe the same outputs. Undefined is an entry without content; it keeps the positions of the others. */
export interface OutputList {
  entries: readonly (AnswerOutput | undefined)[];
  /** Whether an output may have another file name here than in the earlier lists; then its position decides. */
  mayRename: boolean;
}

/** In longer lists only positions are compared: comparing names takes quadratic time. */
const MAX_COMPARED = 500;

/** An output with all names and object paths found for it so far. */
interface Known {
  output: AnswerOutput;
  names: readonly string[];
  objects: readonly string[];
}

/**
 * Merges lists that describe the same outputs. Entries that name the same object or file are merged first. Then entries at the same
 * position are merged, unless both have names and the names differ.
 */
export function joinOutputs(lists: readonly OutputList[]): AnswerOutput[] {
  const placed: (Known | undefined)[] = [];
  /** Outputs whose position was taken by another. */
  const further: Known[] = [];
  for (const list of lists) {
    const entries = list.entries.map((entry) => entry && describe(entry));
    const byName = matchByName(entries, [...placed, ...further], placed.length);
    const taken = new Set(byName.values());
    const byPosition = list.mayRename && entries.length === placed.length && further.length === 0;
    const all = [...placed, ...further];
    for (const [index, entry] of entries.entries()) {
      if (!entry) continue;
      const named = all[byName.get(index) ?? -1];
      const there = placed[index];
      if (named) add(named, entry);
      else if (!there) placed[index] = entry;
      else if (!taken.has(index) && (byPosition || !disagree(there, entry))) add(there, entry);
      else further.push(entry);
    }
  }
  return [...placed, ...further].flatMap((known) => (known ? [known.output] : []));
}

/** Maps each entry to the known output with its name; of several, to the one at its position. No output is matched twice. */
function matchByName(
  entries: readonly (Known | undefined)[],
  known: readonly (Known | undefined)[],
  positions: number,
): Map<number, number> {
  const matches = new Map<number, number>();
  if (Math.max(entries.length, known.length) > MAX_COMPARED) return matches;
  const taken = new Set<number>();
  for (const same of [sameObject, sameFolderAndName, sameName, sameEnd])
    for (const [index, entry] of entries.entries()) {
      if (!entry || matches.has(index)) continue;
      const fits = (at: number): boolean => {
        const other = known[at];
        return other !== undefined && !taken.has(at) && same(other, entry);
      };
      const found = index < positions && fits(index) ? index : known.findIndex((_other, at) => fits(at));
      if (found === -1) continue;
      matches.set(index, found);
      taken.add(found);
    }
  return matches;
}

function describe(entry: AnswerOutput): Known {
  const { filename, from } = entry;
  const names = [filename, ...from.map((each) => nameOf(each))].map((name) => path.posix.basename(name ?? ''));
  return {
    output: { ...entry, from: [...from] },
    names: names.filter((name) => name !== ''),
    objects: from.flatMap((each) => (each.type === 'object' ? [each.path.replace(/^\/+/, '')] : [])),
  };
}

function nameOf(from: OutputBytes): string | undefined {
  if (from.type === 'object') return from.path;
  if (from.type !== 'url' || !URL.canParse(from.url)) return undefined;
  const { pathname, searchParams } = new URL(from.url);
  // ComfyUI's /view has the file name in its query.
  return searchParams.get('filename') ?? pathname;
}

function add(known: Known, { output, names, objects }: Known): void {
  const { from, ...fields } = output;
  for (const each of from)
    if (!known.output.from.some((other) => JSON.stringify(other) === JSON.stringify(each)))
      known.output.from.push(each);
  for (const [name, value] of Object.entries(fields))
    if (value !== undefined) Object.assign(known.output, { [name]: value });
  known.names = [...known.names, ...names];
  known.objects = [...known.objects, ...objects];
}

function disagree(a: Known, b: Known): boolean {
  return a.names.length > 0 && b.names.length > 0 && !sameName(a, b) && !sameEnd(a, b);
}

function sameObject(a: Known, b: Known): boolean {
  return a.objects.some((one) =>
    b.objects.some((other) => one === other || one.endsWith(`/${other}`) || other.endsWith(`/${one}`)),
  );
}

function sameFolderAndName(a: Known, { output: { subfolder, filename } }: Known): boolean {
  if (subfolder === undefined || filename === undefined) return false;
  return a.objects.some((one) => `/${one}`.endsWith(`/${subfolder}/${filename}`));
}

function sameName(a: Known, b: Known): boolean {
  return a.names.some((name) => b.names.includes(name));
}

/** `{job}-a.png` and `a.png`: some handlers put a prefix before the name. */
function sameEnd(a: Known, b: Known): boolean {
  const behind = (long: string, short: string): boolean => long.endsWith(`-${short}`) || long.endsWith(`_${short}`);
  return a.names.some((one) => b.names.some((other) => behind(one, other) || behind(other, one)));
}
