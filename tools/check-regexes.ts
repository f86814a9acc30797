import { createHash } from 'node:crypto';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseSync } from 'oxc-parser';
import type * as Recheck from 'recheck';

// Checks for every regular expression of src/ whether an input can make it slow: `npm run check:regexes`. One that matches in
// more than linear time fails, and so does one that cannot be analysed. Another folder may be given, for the fixtures of
// check-gates.

/** Slow only in theory; each with what keeps its input short, right where it is matched. */
const ALLOWED: readonly { file: string; pattern: string; reason: string }[] = [];
/** The slowest takes 10 s on an idle machine. */
const TIMEOUT_MS = 60_000;

interface Found {
  pattern: string;
  flags: string;
  at: string;
}
type Node = Record<string, unknown> & { type: string; start: number };

const root = path.resolve(process.argv[2] ?? new URL('../', import.meta.url).pathname);
const cacheFile = new URL('../node_modules/.cache/mediakeep/regexes.json', import.meta.url).pathname;

/** The regular expressions of a file: literals, `new RegExp(…)`, and `pattern` in schemas, which the validator compiles. */
function expressionsOf(file: string): { found: Found[]; unclear: string[] } {
  const text = readFileSync(path.join(root, file), 'utf8');
  const { program } = parseSync(file, text);
  const found: Found[] = [];
  const unclear: string[] = [];
  const constants = new Map<string, Node>();
  const at = (node: Node) => `${file}:${text.slice(0, node.start).split('\n').length}`;

  /** The text of a node, if this file alone determines it. */
  const textOf = (node: Node | undefined): string | undefined => {
    if (node?.type === 'Literal' && typeof node['value'] === 'string') return node['value'];
    if (node?.type === 'Identifier') return textOf(constants.get(String(node['name'])));
    if (node?.type === 'TaggedTemplateExpression' && isRaw(node['tag'] as Node))
      return textOfTemplate(node['quasi'] as Node, 'raw');
    if (node?.type === 'BinaryExpression' && node['operator'] === '+') {
      const [left, right] = [textOf(node['left'] as Node), textOf(node['right'] as Node)];
      return left === undefined || right === undefined ? undefined : left + right;
    }
    if (node?.type === 'TemplateLiteral') return textOfTemplate(node, 'cooked');
    return undefined;
  };
  const textOfTemplate = (template: Node, kind: 'raw' | 'cooked'): string | undefined => {
    const quasis = template['quasis'] as { value: { raw: string; cooked: string } }[];
    const between = (template['expressions'] as Node[]).map(textOf);
    if (between.includes(undefined)) return undefined;
    return quasis.map(({ value }, index) => value[kind] + (between[index] ?? '')).join('');
  };
  const visit = (node: Node, parent: Node | undefined): void => {
    const { regex } = node as { regex?: { pattern: string; flags: string } };
    if (regex) found.push({ ...regex, at: at(node) });
    if (isRegExpCall(node)) {
      const [first, second] = node['arguments'] as Node[];
      const [pattern, flags] = [textOf(first), second ? textOf(second) : ''];
      // A literal is analysed where it stands.
      if (pattern !== undefined && flags !== undefined) found.push({ pattern, flags, at: at(node) });
      else if (!(first && 'regex' in first)) unclear.push(at(node));
    }
    if (
      node.type === 'Property' &&
      (node['key'] as Node)['name'] === 'pattern' &&
      parent?.type === 'ObjectExpression'
    ) {
      const pattern = textOf(node['value'] as Node);
      if (pattern !== undefined) found.push({ pattern, flags: 'u', at: at(node) });
    }
    for (const child of children(node)) visit(child, node);
  };
  const collect = (node: Node): void => {
    const { id, init } = node as { id?: Node; init?: Node };
    if (node.type === 'VariableDeclarator' && id?.type === 'Identifier' && init)
      constants.set(String(id['name']), init);
    for (const child of children(node)) collect(child);
  };
  collect(program as unknown as Node);
  visit(program as unknown as Node, undefined);
  return { found, unclear };
}

function children(node: Node): Node[] {
  return Object.values(node)
    .flat()
    .filter((value): value is Node => typeof value === 'object' && value !== null && 'type' in value);
}

function isRaw(tag: Node): boolean {
  return tag.type === 'MemberExpression' && (tag['object'] as Node)['name'] === 'String';
}

function isRegExpCall(node: Node): boolean {
  const called = node.type === 'NewExpression' || node.type === 'CallExpression';
  return called && (node['callee'] as Node)['name'] === 'RegExp';
}

type Verdict = { status: 'safe' | 'vulnerable' | 'unknown'; how: string };

/** Results of earlier runs: analysing everything takes half a minute. */
function readCache(version: string): Map<string, Verdict> {
  try {
    const kept = JSON.parse(readFileSync(cacheFile, 'utf8')) as { version: string; verdicts: Record<string, Verdict> };
    return new Map(kept.version === version ? Object.entries(kept.verdicts) : []);
  } catch {
    return new Map();
  }
}

async function main(): Promise<void> {
  const files = globSync('src/**/*.{ts,js}', { cwd: root });
  const unclear: string[] = [];
  const all: Found[] = [];
  for (const file of files.toSorted()) {
    const of = expressionsOf(file);
    all.push(...of.found);
    unclear.push(...of.unclear);
  }
  const problems = unclear.map((at) => `${at} builds a regular expression from what is not known here`);
  const { version } = JSON.parse(
    readFileSync(new URL('../node_modules/recheck/package.json', import.meta.url), 'utf8'),
  ) as { version: string };
  const cache = readCache(version);
  const allowed = new Set(ALLOWED);
  // The other backends are platform-specific programs, and give different results within the same time limit.
  process.env['RECHECK_BACKEND'] = 'pure';
  let judge: typeof Recheck.check | undefined;
  for (const { pattern, flags, at } of all) {
    const key = createHash('sha256').update(`${flags}/${pattern}`).digest('hex');
    let verdict = cache.get(key);
    // What was not judged in time is judged again: the machine may have less to do now.
    if (!verdict || verdict.status === 'unknown') {
      judge ??= (await import('recheck')).check;
      const answer = await judge(pattern, flags, { timeout: TIMEOUT_MS });
      const how = answer.status === 'unknown' ? 'it could not be judged in time' : answer.complexity.summary;
      verdict = { status: answer.status, how };
      cache.set(key, verdict);
    }
    if (verdict.status === 'safe') continue;
    const exception = ALLOWED.find((each) => at.startsWith(`${each.file}:`) && each.pattern === pattern);
    if (exception) allowed.delete(exception);
    else problems.push(`${at} /${pattern}/${flags} can be slow: ${verdict.how}`);
  }
  if (process.argv[2] === undefined) {
    for (const { file, pattern } of allowed)
      problems.push(`${file} /${pattern}/ is allowed but not there, or not slow`);
    mkdirSync(path.dirname(cacheFile), { recursive: true });
    writeFileSync(cacheFile, JSON.stringify({ version, verdicts: Object.fromEntries(cache) }));
  }
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.exitCode = problems.length > 0 ? 1 : 0;
}

await main();
