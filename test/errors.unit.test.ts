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
