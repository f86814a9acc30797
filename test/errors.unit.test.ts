import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { ERROR_CODES } from '../src/errors.ts';
import { STATUS_OF } from '../src/http/errors/statuses.ts';

test('docs/errors.md lists every code with its status, and no others', async () => {
  const text = await readFile(new URL('../docs/errors.md', import.meta.url), 'utf8');
  const documented = Object.fromEntries(
    [...text.matchAll(/^\| `(\w+)` \| (\d+) \|/gm)].map(([, code, status]) => [code, Number(status)]),
  );
  expect(documented).toEqual(STATUS_OF);
  expect(Object.keys(documented).toSorted()).toEqual(Object.keys(ERROR_CODES).toSorted());
});

test('docs/errors.md says for each code what happened and what to do, in sentences', async () => {
  const text = await readFile(new URL('../docs/errors.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `(\w+)` \| \d+ \| (.*?) \| (.*) \|$/gm)];
  expect(rows).toHaveLength(Object.keys(ERROR_CODES).length);
  for (const [, code, happened = '', todo = ''] of rows) {
    for (const part of [happened, todo]) expect(part, code).toMatch(/^[A-Z`].{10,}\.$/);
    expect(todo, code).not.toContain('as `detail` says');
  }
  const advice = rows.map(([, , , todo]) => todo);
  expect(new Set(advice).size).toBe(advice.length);
});
