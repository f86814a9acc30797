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

/** The module that records hits in the file `hits.txt` next to it: of this process and its children. */
export const HITS_MODULE = `
import { appendFileSync } from 'node:fs';
const file = new URL('./hits.txt', import.meta.url).pathname;
const seen = new Set();
export function hit(id) {
  if (seen.has(id)) return;
  seen.add(id);
  try {
    appendFileSync(file, id + '\\n');
  } catch {}
}
`;
