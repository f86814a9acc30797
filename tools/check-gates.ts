import { spawnSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

// Proves that the lint rules work: each of these files breaks one and must be reported. A rule that is silent fails here.
const FIXTURES: readonly { rule: string; files: Record<string, string> }[] = [
  {
    rule: 'import(no-cycle)',
    files: {
      'src/db/a.ts': "import { b } from './b.ts';\nexport const a = () => b;\n",
      'src/db/b.ts': "import { a } from './a.ts';\nexport const b = () => a;\n",
    },
  },
  ...Object.entries({
    'src/errors.ts': './json/json.ts',
    'src/json/x.ts': '../db/tables.ts',
    'src/media/inspect/x.ts': '../../errors.ts',
    'src/background/x.ts': '../domain/ingest/ingest.ts',
    'src/sources/fetch/x.ts': '../../domain/ingest/ingest.ts',
    'src/storage/s3/x.ts': '../../db/items/items.ts',
    'src/storage/stores/y.ts': '../../background/repeat.ts',
    'src/db/items/x.ts': '../../storage/keys.ts',
    'src/shapes/x.ts': '../http/auth/auth.ts',
    'src/domain/ingest/x.ts': '../../http/auth/auth.ts',
    'src/domain/ingest/y.ts': '../../process/uncaught-errors.ts',
    'src/domain/ingest/z.ts': 'fastify',
    'src/telemetry/x.ts': '../http/logging.ts',
    'src/http/routes/x.ts': 'kysely',
    'src/http/routes/y.ts': '../../config/load-config.ts',
    'src/config/x.ts': '../domain/deps.ts',
    'src/workers/x.ts': '../http/logging.ts',
    'src/cli/x.ts': '../http/logging.ts',
    'src/process/x.ts': '../cli/main.ts',
    'migrations/x.ts': '../src/db/tables.ts',
  }).map(([file, target]) => ({
    rule: 'eslint(no-restricted-imports)',
    files: { [file]: `import { x } from '${target}';\nexport const y = x;\n` },
  })),
];

/** Code with a regular expression that must be reported, and the text of the report. */
const REGEXES: readonly { says: string; code: string }[] = [
  // Quadratic only because each `eyJ` is a start; the log's redaction once used it.
  { says: '2nd degree polynomial', code: String.raw`export const jwt = /eyJ[\w-]+\.[\w-]+\.[\w-]*/g;` },
  { says: 'exponential', code: `const part = '(a+)+'; export const made = new RegExp('^' + part + '$');` },
  { says: '2nd degree polynomial', code: String.raw`export const schema = { pattern: '^\\s*\\s*$' };` },
  { says: 'not known here', code: 'export const any = (text: string) => new RegExp(text);' },
];

/** Layouts that must be reported, and the text of the report. */
const LAYOUTS: readonly { says: string; files: Record<string, string> }[] = [
  {
    says: 'a circle of folders: src/db → src/db/items',
    files: {
      'src/db/a.ts': "import { b } from './items/b.ts';\nexport const a = () => b;\n",
      'src/db/items/b.ts': "import type { C } from '../c.ts';\nexport const b = (c: C) => c;\n",
      'src/db/c.ts': 'export type C = string;\n',
    },
  },
  {
    says: 'src/db has 21 files',
    files: Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`src/db/f${n}.ts`, 'export {};\n'])),
  },
  { says: 'has no folder src/nowhere', files: { 'test/nowhere/a.test.ts': 'export {};\n' } },
];

let silent = 0;
for (const { rule, files } of FIXTURES) {
  const folder = await write(files);
  await copyFile(new URL('../.oxlintrc.json', import.meta.url), path.join(folder, '.oxlintrc.json'));
  const { stdout } = spawnSync('oxlint', [], { cwd: folder, encoding: 'utf8' });
  if (!stdout.includes(rule)) {
    process.stderr.write(`the rule ${rule} did not report ${Object.keys(files).join(', ')}\n${stdout}`);
    silent += 1;
  }
  await rm(folder, { recursive: true, force: true });
}
for (const { says, code } of REGEXES) await mustReport('check-regexes.ts', { 'src/x.ts': `${code}\n` }, says);
for (const { says, files } of LAYOUTS) await mustReport('check-house.ts', files, says);
process.exitCode = silent > 0 ? 1 : 0;

async function write(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-gate-'));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), text);
  }
  return folder;
}

/** Runs one of our own tools on these files. */
async function mustReport(name: string, files: Record<string, string>, says: string): Promise<void> {
  const folder = await write(files);
  const tool = new URL(name, import.meta.url).pathname;
  const { status, stderr } = spawnSync(process.execPath, [tool, folder], { encoding: 'utf8' });
  if (status !== 1 || !stderr.includes(says)) {
    process.stderr.write(`tools/${name} did not report ${says}\n${stderr}`);
    silent += 1;
  }
  await rm(folder, { recursive: true, force: true });
}
