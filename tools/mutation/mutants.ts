import { isComparedOrKey, isLeftOut, isText, tellsOnly } from './left-out.ts';
import { type Node, childrenOf, isNode, isTypeOnly, parse, pieceOf } from './tree.ts';

/** One small change to the code of one file. */
export interface Mutant {
  file: string;
  line: number;
  /** What was changed, in a few words. */
  kind: string;
  start: number;
  end: number;
  /** The new text between `start` and `end`. */
  replacement: string;
  /** The old text. */
  original: string;
  /** Offset of the piece of code that contains it (`pieceOf`); 0: the module. */
  piece: number;
}

const SWAPPED: Readonly<Record<string, string>> = {
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '===': '!==',
  '!==': '===',
  '==': '!=',
  '!=': '==',
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '%': '*',
  '&&': '||',
  '||': '&&',
  '+=': '-=',
  '-=': '+=',
};
const SWAPPED_METHODS: Readonly<Record<string, string>> = { some: 'every', every: 'some', min: 'max', max: 'min' };

/** All mutants of a file, without those that `left-out.ts` rules out. */
export function mutantsOf(file: string, text: string): Mutant[] {
  const mutants: Mutant[] = [];
  const source = (node: Node) => text.slice(node.start, node.end);

  const add = (kind: string, node: Pick<Node, 'start' | 'end'>, replacement: string, piece: number) => {
    const { start, end } = node;
    const line = text.slice(0, start).split('\n').length;
    mutants.push({ file, line, kind, start, end, replacement, original: text.slice(start, end), piece });
  };

  /** @param above the nodes around it, from the inside */
  const visit = (node: Node, above: readonly Node[], outer: number): void => {
    const [parent] = above;
    if (isTypeOnly(node) || isLeftOut(node, parent, source)) return;
    const piece = pieceOf(node, parent) ?? outer;
    mutate(node, above, piece);
    for (const child of childrenOf(node)) visit(child, [node, ...above.slice(0, 2)], piece);
  };

  const mutate = (node: Node, above: readonly Node[], piece: number): void => {
    const { type } = node;
    if (type === 'IfStatement' || type === 'ConditionalExpression' || type === 'WhileStatement') {
      const test = node['test'] as Node;
      add('condition negated', test, `!(${source(test)})`, piece);
      if (type === 'IfStatement' && node['alternate'] === null) add('guard left out', test, 'false', piece);
    }
    if (type === 'LogicalExpression' && node['operator'] === '??') {
      add('default left out', node, source(node['left'] as Node), piece);
      add('default always', node, source(node['right'] as Node), piece);
    } else if (/^(Logical|Binary|Assignment)Expression$/.test(type)) swapOperator(node, piece);
    const call = type === 'ExpressionStatement' ? calledIn(node['expression'] as Node) : undefined;
    if (call && !tellsOnly(call, source)) add('call left out', node, ';', piece);
    if (type === 'UnaryExpression' && node['operator'] === '!')
      add('negation left out', node, source(node['argument'] as Node), piece);
    if (type === 'Literal' && typeof node['value'] === 'boolean')
      add('boolean turned', node, String(!node['value']), piece);
    if (type === 'Literal' && typeof node['value'] === 'string' && isComparedOrKey(node, above))
      add('text changed', node, node['value'] === '' ? "'mutant'" : "''", piece);
    if (type === 'CallExpression') swapMethod(node, piece);
  };

  const swapOperator = (node: Node, piece: number): void => {
    const operator = String(node['operator']);
    const [left, right] = [node['left'] as Node, node['right'] as Node];
    const swapped = SWAPPED[operator];
    if (swapped === undefined || (operator.startsWith('+') && [left, right].some(isText))) return;
    // A comment between the operands may contain the same characters.
    const at = text.indexOf(operator, left.end);
    if (at < 0 || at + operator.length > right.start) return;
    add(`${operator} → ${swapped}`, { start: at, end: at + operator.length }, swapped, piece);
  };

  const swapMethod = (node: Node, piece: number): void => {
    const callee = node['callee'] as Node;
    const property = callee.type === 'MemberExpression' && callee['computed'] !== true && callee['property'];
    if (!isNode(property)) return;
    const name = String(property['name']);
    const swapped = Object.hasOwn(SWAPPED_METHODS, name) ? SWAPPED_METHODS[name] : undefined;
    if (swapped !== undefined) add(`${name} → ${swapped}`, property, swapped, piece);
  };

  visit(parse(file, text), [], 0);
  return mutants;
}

/** The call of a statement, awaited or not. */
function calledIn(node: Node): Node | undefined {
  if (node.type === 'AwaitExpression' || (node.type === 'UnaryExpression' && node['operator'] === 'void'))
    return calledIn(node['argument'] as Node);
  if (node.type === 'ChainExpression') return calledIn(node['expression'] as Node);
  return node.type === 'CallExpression' ? node : undefined;
}

/** The text of a file with the change applied. */
export function mutated(text: string, { start, end, replacement }: Mutant): string {
  return text.slice(0, start) + replacement + text.slice(end);
}
