import { parseSync } from 'oxc-parser';

/** A node of a syntax tree (ESTree), with offsets into the text. */
export type Node = Record<string, unknown> & { type: string; start: number; end: number };

/** @throws Error when the text is not TypeScript */
export function parse(file: string, text: string): Node {
  const { program, errors } = parseSync(file, text);
  if (errors.length > 0) throw new Error(`${file} cannot be parsed: ${errors[0]?.message}`);
  return program as unknown as Node;
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';
}

/** The direct children of a node, in the order of the text. */
export function childrenOf(node: Node): Node[] {
  return Object.values(node)
    .flatMap((value) => (Array.isArray(value) ? value : [value]))
    .filter(isNode)
    .toSorted((a, b) => a.start - b.start);
}

/** Types, and whatever else is erased. Expressions that only carry a type are not. */
export function isTypeOnly({ type }: Node): boolean {
  return type.startsWith('TS') && !/^TS(As|Satisfies|NonNull|InstantiationExpression)/.test(type);
}

/**
 * The start of a piece of code that runs as a whole or not at all: a block, or the expression of an arrow function. Undefined: it
 * belongs to the piece around it.
 */
export function pieceOf(node: Node, parent: Node | undefined): number | undefined {
  if (node.type === 'BlockStatement') return node.start;
  const isBody = parent?.type === 'ArrowFunctionExpression' && parent['body'] === node;
  return isBody ? node.start : undefined;
}
