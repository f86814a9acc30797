import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';

// Checks the layout of src/ and test/: `npm run check:house`. Folders are small and have no circular imports, and a test lies
// where its subject does. Another folder may be given, for the fixtures of check-gates.

const MAX_FILES = 20;
const MAX_FILES_AT_TOP = 6;
/** Test folders that cover the whole service instead of a folder of src/. */
const ABOUT_THE_WHOLE = new Set(['tools', 'browser', 'client', 'docs', 'durability', 'hostile', 'support']);

const root = path.resolve(process.argv[2] ?? new URL('../', import.meta.url).pathname);
const files = globSync('src/**/*.{ts,js}', { cwd: root });
const problems: string[] = [];

for (const [folder, inside] of Map.groupBy(files, (file) => path.dirname(file))) {
  const most = folder === 'src' ? MAX_FILES_AT_TOP : MAX_FILES;
  if (inside.length > most) problems.push(`${folder} has ${inside.length} files; at most ${most}: find its subjects`);
}

/** A file at the top of src/ stands for itself. */
const folderOf = (file: string) => (path.dirname(file) === 'src' ? file : path.dirname(file));
const imports = new Map<string, Map<string, string>>();
for (const file of files) {
  const from = folderOf(file);
  for (const [, target = ''] of readFileSync(path.join(root, file), 'utf8').matchAll(
    /(?:from|import) ?\(?'(\.[^']+)'/g,
  )) {
    const to = folderOf(path.join(path.dirname(file), target));
    if (to === from) continue;
    const known = imports.get(from) ?? new Map<string, string>();
    imports.set(from, known.set(to, `${file} imports ${target}`));
  }
}
for (const circle of circles()) {
  const steps = circle.map((folder, at) => imports.get(folder)?.get(circle[(at + 1) % circle.length] ?? ''));
  problems.push(`a circle of folders: ${circle.join(' → ')} (${steps.join('; ')})`);
}

for (const test of globSync('test/**/*.test.ts', { cwd: root })) {
  const folder = path.dirname(test).slice('test/'.length);
  const [top = ''] = folder.split('/');
  if (!ABOUT_THE_WHOLE.has(top) && folder !== '' && !existsSync(path.join(root, 'src', folder)))
    problems.push(`${test} has no folder src/${folder} beside it`);
}

for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exitCode = problems.length > 0 ? 1 : 0;

/** Import cycles of folders, the first found of each. */
function circles(): string[][] {
  const found: string[][] = [];
  const done = new Set<string>();
  const walk = (folder: string, trail: readonly string[]): void => {
    const at = trail.indexOf(folder);
    if (at !== -1) {
      found.push(trail.slice(at));
      return;
    }
    if (done.has(folder)) return;
    for (const next of imports.get(folder)?.keys() ?? []) walk(next, [...trail, folder]);
    done.add(folder);
  };
  for (const folder of imports.keys()) walk(folder, []);
  return found;
}
