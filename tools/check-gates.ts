import { spawnSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

// Proves that the lint rules still bite: each of these files breaks one, and must be reported. A gate that went silent fails here.
const FIXTURES: readonly { rule: string; files: Record<string, string> }[] = [
  {
    rule: 'import(no-cycle)',
    files: {
      'src/db/a.ts': "import { b } from './b.ts';\nexport const a = () => b;\n",
      'src/db/b.ts': "import { a } from './a.ts';\nexport const b = () => a;\n",
    },
  },
  ...Object.entries({
    'src/domain/x.ts': '../http/auth.ts',
    'src/db/x.ts': '../storage/keys.ts',
    'src/storage/x.ts': '../db/media.ts',
    'src/sources/x.ts': '../domain/ingest.ts',
    'src/media/x.ts': '../domain/ingest.ts',
    'src/background/x.ts': '../domain/ingest.ts',
    'src/domain/y.ts': '../process/uncaught-errors.ts',
    'src/storage/y.ts': '../background/repeat.ts',
    'src/http/x.ts': 'kysely',
    'migrations/x.ts': '../src/db/tables.ts',
  }).map(([file, target]) => ({
    rule: 'eslint(no-restricted-imports)',
    files: { [file]: `import { x } from '${target}';\nexport const y = x;\n` },
  })),
];

/** Code with a regular expression that must be reported, with what the report says. */
const REGEXES: readonly { says: string; code: string }[] = [
  // Quadratic only because each `eyJ` is a start: this stood in the log's redaction once.
  { says: '2nd degree polynomial', code: String.raw`export const jwt = /eyJ[\w-]+\.[\w-]+\.[\w-]*/g;` },
  { says: 'exponential', code: `const part = '(a+)+'; export const made = new RegExp('^' + part + '$');` },
  { says: '2nd degree polynomial', code: String.raw`export const schema = { pattern: '^\\s*\\s*$' };` },
  { says: 'not known here', code: 'export const any = (text: string) => new RegExp(text);' },
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
for (const { says, code } of REGEXES) {
  const folder = await write({ 'src/x.ts': `${code}\n` });
  const tool = new URL('check-regexes.ts', import.meta.url).pathname;
  const { status, stderr } = spawnSync(process.execPath, [tool, folder], { encoding: 'utf8' });
  if (status !== 1 || !stderr.includes(says)) {
    process.stderr.write(`tools/check-regexes.ts did not report ${code}\n${stderr}`);
    silent += 1;
  }
  await rm(folder, { recursive: true, force: true });
}
process.exitCode = silent > 0 ? 1 : 0;

async function write(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-gate-'));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), text);
  }
  return folder;
}
