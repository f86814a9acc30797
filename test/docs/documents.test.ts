import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { CHECKOUT } from '../support/service-process.ts';

const read = (name: string) => readFileSync(path.join(CHECKOUT, name), 'utf8');

test('the README is short enough to be read', () => {
  expect(read('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(160);
});

/** As GitHub names the headings of a document. */
function headingsOf(text: string): Set<string> {
  return new Set(
    [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

test('each link of a document leads to a file, and to a heading of it', () => {
  const documents = globSync(['*.md', 'docs/**/*.md'], { cwd: CHECKOUT });
  expect(documents.length).toBeGreaterThan(20);
  const broken = documents.flatMap((name) =>
    [...read(name).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)]
      .map(([, link = '']) => link)
      .filter((link) => {
        const [file = '', heading] = link.split('#');
        const target = file === '' ? name : path.join(path.dirname(name), file);
        if (!existsSync(path.join(CHECKOUT, target))) return true;
        return heading !== undefined && target.endsWith('.md') && !headingsOf(read(target)).has(heading);
      })
      .map((link) => `${name}: ${link}`),
  );
  expect(broken).toEqual([]);
});
