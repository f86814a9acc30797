import { type Node, childrenOf, isNode } from './tree.ts';

// What is never changed, because no test should depend on it. CONTRIBUTING.md names these rules: they are part of what a score says.

/** Calls that only report. */
const TELLING = /(^|\.)(log|logger|metrics|console)[.[]|(^|\.)(observe|onProgress)$/;
/** Calls that only wait, and the place of the time among their arguments. */
const WAITING: Readonly<Record<string, number>> = { sleep: 0, delay: 0, setTimeout: 1, 'AbortSignal.timeout': 0 };
/** Methods whose text is compared with others, or is a key. */
const COMPARING = new Set(['has', 'get', 'delete', 'includes', 'startsWith', 'endsWith', 'indexOf']);
const EQUALITY = new Set(['===', '!==', '==', '!=']);

export type Source = (node: Node) => string;

/** Whether nothing below this node is changed. */
export function isLeftOut(node: Node, parent: Node | undefined, source: Source): boolean {
  return (
    isDeclarationOnly(node) ||
    isIdle(node, (call) => waits(call, source)) ||
    isIdle(node, (call) => tellsOnly(call, source)) ||
    isArithmeticOfLiterals(node) ||
    asksForPlatform(node, source) ||
    (parent !== undefined && (isMessage(node, parent) || isTime(node, parent, source)))
  );
}

/** Whether a text is compared or is a key: others (labels, values that are only passed on) are not changed. */
export function isComparedOrKey(node: Node, [parent, above, outer]: readonly Node[]): boolean {
  if (!parent) return false;
  if (parent.type === 'BinaryExpression' && EQUALITY.has(String(parent['operator'])))
    // Another type's name is no TypeScript.
    return ![parent['left'], parent['right']].some((side) => isNode(side) && side['operator'] === 'typeof');
  if (parent.type === 'SwitchCase') return parent['test'] === node;
  if (parent.type === 'MemberExpression') return parent['property'] === node;
  if (parent.type === 'CallExpression') return parent['callee'] !== node && COMPARING.has(methodOf(parent) ?? '');
  if (parent.type !== 'ArrayExpression') return false;
  if (isNewOf(above, 'Set')) return true;
  const isFirst = (parent['elements'] as unknown[])[0] === node;
  return isFirst && above?.type === 'ArrayExpression' && isNewOf(outer, 'Map');
}

/** A call that only reports. */
export function tellsOnly(node: Node, source: Source): boolean {
  return node.type === 'CallExpression' && TELLING.test(nameOfCallee(node, source));
}

export function isText({ type, value }: Node): boolean {
  return type === 'TemplateLiteral' || (type === 'Literal' && typeof value === 'string');
}

function isDeclarationOnly({ type }: Node): boolean {
  return type === 'ImportDeclaration' || type === 'ExportAllDeclaration' || type === 'ImportExpression';
}

/** A call of this kind, or a condition that decides only about such calls. */
function isIdle(node: Node, isKind: (call: Node) => boolean): boolean {
  const every = (nodes: readonly Node[]) => nodes.length > 0 && nodes.every((each) => isIdle(each, isKind));
  switch (node.type) {
    case 'CallExpression':
      return isKind(node);
    case 'IfStatement':
      return node['alternate'] === null && isIdle(node['consequent'] as Node, isKind);
    case 'BlockStatement':
    case 'ExpressionStatement':
    case 'AwaitExpression':
    case 'ChainExpression':
      return every(childrenOf(node));
    default:
      return false;
  }
}

/** A pause, or that a timer does not keep the process alive. */
function waits(call: Node, source: Source): boolean {
  return /^(sleep|delay)$/.test(nameOfCallee(call, source)) || methodOf(call) === 'unref';
}

/** How long a timer runs. */
function isTime(node: Node, parent: Node, source: Source): boolean {
  if (parent.type !== 'CallExpression') return false;
  const place = WAITING[nameOfCallee(parent, source)];
  return place !== undefined && (parent['arguments'] as Node[])[place] === node;
}

/** `64 * 1024`: a size, a time or another setting. */
function isArithmeticOfLiterals(node: Node): boolean {
  const ofNumbers = ({ type, value, ...rest }: Node): boolean =>
    (type === 'Literal' && typeof value === 'number') ||
    (type === 'BinaryExpression' && [rest['left'], rest['right']].every((side) => isNode(side) && ofNumbers(side)));
  return node.type === 'BinaryExpression' && ofNumbers(node);
}

/** Only one answer can be seen on one machine. */
function asksForPlatform(node: Node, source: Source): boolean {
  return node.type === 'BinaryExpression' && source(node['left'] as Node) === 'process.platform';
}

/** What an error says: its text, the name of the field it is about, its cause; also the text of an SQL statement. */
function isMessage(node: Node, parent: Node): boolean {
  if (parent.type === 'TaggedTemplateExpression' || parent.type === 'TemplateLiteral')
    return node.type === 'TemplateElement';
  return parent.type === 'NewExpression' && isErrorClass(parent) && parent['callee'] !== node && isWording(node);
}

function isWording(node: Node): boolean {
  if (isText(node)) return true;
  if (node.type === 'ConditionalExpression')
    return [node['consequent'], node['alternate']].every((side) => isNode(side) && isWording(side));
  if (node.type === 'BinaryExpression' || node.type === 'LogicalExpression')
    return [node['left'], node['right']].some((side) => isNode(side) && isWording(side));
  if (node.type !== 'ObjectExpression') return false;
  return (node['properties'] as Node[]).every(({ key }) => isNode(key) && /^(cause|field)$/.test(String(key['name'])));
}

function isErrorClass(node: Node): boolean {
  return String((node['callee'] as { name?: string }).name).endsWith('Error');
}

function isNewOf(node: Node | undefined, name: string): boolean {
  return node?.type === 'NewExpression' && (node['callee'] as { name?: string }).name === name;
}

/** `log.warn` of `deps?.log.warn(…)` is `deps.log.warn`. */
function nameOfCallee(call: Node, source: Source): string {
  return source(call['callee'] as Node).replaceAll(/[?#\s]/g, '');
}

function methodOf(call: Node): string | undefined {
  const callee = call['callee'] as Node;
  const property = callee.type === 'MemberExpression' && callee['computed'] !== true && callee['property'];
  return isNode(property) ? String(property['name']) : undefined;
}
