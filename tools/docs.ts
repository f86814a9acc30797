import { readFile, writeFile } from 'node:fs/promises';
import { commands } from './docs/commands.ts';
import { configuration } from './docs/configuration.ts';
import { errors } from './docs/errors.ts';
import { mediaTypes } from './docs/media-types.ts';

// Writes the pages of docs/ that come from the code; with --check fails when a committed page differs.
let stale = false;
for (const [name, text] of [
  ['commands.md', commands()],
  ['configuration.md', configuration()],
  ['errors.md', errors()],
  ['media-types.md', mediaTypes()],
] as const) {
  const file = new URL(`../docs/${name}`, import.meta.url);
  if (!process.argv.includes('--check')) await writeFile(file, text);
  else if ((await readFile(file, 'utf8').catch(() => '')) !== text) {
    process.stderr.write(`docs/${name} differs from the code; run 'npm run docs' and commit it\n`);
    stale = true;
  }
}
process.exitCode = stale ? 1 : 0;
