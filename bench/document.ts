import { readFile, writeFile } from 'node:fs/promises';
import { type Row, type Table, aligned, detailTable, markdown, ratioTable } from './report.ts';
import type { Section } from './suite.ts';

const FILE = new URL('../docs/benchmarks.md', import.meta.url);
const begin = (name: string) => `<!-- bench:${name} (written by 'npm run bench -- ${name}') -->`;
const end = (name: string) => `<!-- /bench:${name} -->`;

/** Without ratios, only the details. */
function tables(rows: readonly Row[]): Table[] {
  if (rows.length === 0) return [];
  return rows.some(({ ratios }) => ratios.length > 0) ? [ratioTable(rows), detailTable(rows)] : [detailTable(rows)];
}

/** For the terminal. */
export function printed({ title, rows = [], text }: Section): string {
  const parts = [title];
  parts.push(...tables(rows).map(aligned));
  if (text !== undefined) parts.push(text);
  return `\n${parts.join('\n\n')}\n`;
}

/** Replaces a section, or appends a new one; text outside of the markers stays. */
export async function writeSection(name: string, section: Section, circumstances: string): Promise<void> {
  const { title, about, rows = [], text } = section;
  const parts = [begin(name), `## ${title}`, about, `*${circumstances}*`];
  parts.push(...tables(rows).map(markdown));
  if (text !== undefined) parts.push(text);
  const block = [...parts, end(name)].join('\n\n');
  const old = await readFile(FILE, 'utf8');
  const from = old.indexOf(begin(name));
  const to = old.indexOf(end(name));
  const next =
    from === -1 || to < from
      ? `${old.trimEnd()}\n\n${block}\n`
      : old.slice(0, from) + block + old.slice(to + end(name).length);
  await writeFile(FILE, next);
}
