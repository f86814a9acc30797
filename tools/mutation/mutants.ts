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

/** Calls that only report: mutants of them are a matter of taste. */
const TELLING = /(^|\.)(log|logger|metrics|console)\.|(^|\.)(observe|onProgress)$/;

/** All mutants of a file. */
export function mutantsOf(file: string, text: string): Mutant[] {
  const mutants: Mutant[] = [];
  /** Names of columns and tables, and fragments of SQL: PostgreSQL refuses an empty one at once. */
  const hasSql = file.startsWith('src/db/');
  const source = (node: Node) => text.slice(node.start, node.end);

  const add = (kind: string, node: Pick<Node, 'start' | 'end'>, replacement: string, piece: number) => {
    const { start, end } = node;
    const line = text.slice(0, start).split('\n').length;
    mutants.push({ file, line, kind, start, end, replacement, original: text.slice(start, end), piece });
  };

  const visit = (node: Node, parent: Node | undefined, outer: number): void => {
    if (isTypeOnly(node) || isDeclarationOnly(node) || tellsOnly(node)) return;
    const piece = pieceOf(node, parent) ?? outer;
    mutate(node, parent, piece);
    for (const child of childrenOf(node)) if (!isMessage(child, node)) visit(child, node, piece);
  };

  const mutate = (node: Node, parent: Node | undefined, piece: number): void => {
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
    if (call && !tellsOnly(call)) add('call left out', node, ';', piece);
    if (type === 'UnaryExpression' && node['operator'] === '!')
      add('negation left out', node, source(node['argument'] as Node), piece);
    if (type === 'Literal' && typeof node['value'] === 'boolean')
      add('boolean turned', node, String(!node['value']), piece);
    if (type === 'Literal' && typeof node['value'] === 'string' && !hasSql && isValue(node, parent))
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
    const swapped = SWAPPED_METHODS[String(property['name'])];
    if (swapped !== undefined) add(`${String(property['name'])} → ${swapped}`, property, swapped, piece);
  };

  const tellsOnly = (node: Node): boolean =>
    node.type === 'CallExpression' && TELLING.test(source(node['callee'] as Node).replaceAll(/[?#\s]/g, ''));

  visit(parse(file, text), undefined, 0);
  return mutants;
}

function isDeclarationOnly({ type }: Node): boolean {
  return type === 'ImportDeclaration' || type === 'ExportAllDeclaration' || type === 'ImportExpression';
}

/** The text of an error or an SQL statement. */
function isMessage(child: Node, parent: Node): boolean {
  if (parent.type === 'TaggedTemplateExpression' || parent.type === 'TemplateLiteral')
    return child.type === 'TemplateElement';
  if (parent.type !== 'NewExpression') return false;
  const { name } = parent['callee'] as { name?: string };
  return name?.endsWith('Error') === true && (child.type === 'TemplateLiteral' || isText(child));
}

function isText({ type, value }: Node): boolean {
  return type === 'TemplateLiteral' || (type === 'Literal' && typeof value === 'string');
}

/** A text that is no property name, directive or module name. */
function isValue(node: Node, parent: Node | undefined): boolean {
  if (parent?.type === 'ExpressionStatement' || parent?.type === 'ExportNamedDeclaration') return false;
  return !(parent && 'key' in parent && parent['key'] === node);
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
