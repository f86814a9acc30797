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

let silent = 0;
for (const { rule, files } of FIXTURES) {
  const folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-gate-'));
  await copyFile(new URL('../.oxlintrc.json', import.meta.url), path.join(folder, '.oxlintrc.json'));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), text);
  }
  const { stdout } = spawnSync('oxlint', [], { cwd: folder, encoding: 'utf8' });
  if (!stdout.includes(rule)) {
    process.stderr.write(`the rule ${rule} did not report ${Object.keys(files).join(', ')}\n${stdout}`);
    silent += 1;
  }
  await rm(folder, { recursive: true, force: true });
}
process.exitCode = silent > 0 ? 1 : 0;
