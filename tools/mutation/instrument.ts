import { childrenOf, isTypeOnly, type Node, parse, pieceOf } from './tree.ts';

/**
 * The text of a file, instrumented to record which of its pieces (`pieceOf`) run, as `file:offset` of the original text; `file:0`
 * when it is loaded.
 * @param module that exports `hit`, as the file imports it
 */
export function instrumented(file: string, text: string, module: string): string {
  const inserts: { at: number; code: string }[] = [];
  const visit = (node: Node, parent: Node | undefined): void => {
    if (isTypeOnly(node)) return;
    const piece = pieceOf(node, parent);
    const hit = `__hit('${file}:${piece}')`;
    if (node.type === 'BlockStatement') inserts.push({ at: node.start + 1, code: `${hit};` });
    else if (piece !== undefined) inserts.push({ at: node.start, code: `(${hit}, ` }, { at: node.end, code: ')' });
    for (const child of childrenOf(node)) visit(child, node);
  };
  visit(parse(file, text), undefined);
  let result = text;
  // From the end, so that offsets stay right; of two at one place the inner one was recorded last.
  for (const { at, code } of inserts.toReversed().toSorted((a, b) => b.at - a.at))
    result = result.slice(0, at) + code + result.slice(at);
  return `import { hit as __hit } from '${module}'; __hit('${file}:0');\n${result}`;
}

/** Names the test file that runs, for the processes that it starts, too. */
const RUNNING = 'hits-running.txt';

/** The module that records hits of a test file, of its process and the children: in `hits/`, next to it. */
export const HITS_MODULE = `
import { appendFileSync, readFileSync } from 'node:fs';
const at = (name) => new URL(name, import.meta.url).pathname;
const seen = new Set();
export function hit(id) {
  if (seen.has(id)) return;
  seen.add(id);
  try {
    appendFileSync(at('./hits/' + readFileSync(at('./${RUNNING}'), 'utf8')), id + '\\n');
  } catch {}
}
`;

/** A setup file of the runner: the hits from here on are those of the test file that it is run for. */
export const MARKING_MODULE = `
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
const file = path.relative(import.meta.dirname, expect.getState().testPath);
writeFileSync(path.join(import.meta.dirname, '${RUNNING}'), file.replaceAll('/', '~'));
`;

/** Where the hits of a test file lie, relative to the checkout. */
export function hitsFileOf(file: string): string {
  return `hits/${file.replaceAll('/', '~')}`;
}
