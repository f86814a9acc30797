import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { isPlainObject, walkPlain } from '../../src/json/walk.ts';

test('a walk enters only arrays and plain objects', () => {
  const stream = new Readable();
  Object.assign(stream, { inner: stream });
  const seen: unknown[] = [];
  walkPlain({ a: [1, { b: stream }], c: Object.create(null), d: new Date(0) }, { depth: 5, values: 100 }, (value) =>
    seen.push(value),
  );
  expect(seen).toContain(stream);
  expect(seen).toHaveLength(7);
  expect(isPlainObject(stream)).toBe(false);
});

test('a walk throws at its limits, and therefore on circular data', () => {
  const circle: unknown[] = [];
  circle.push(circle);
  expect(() => walkPlain(circle, { depth: 1e9, values: 1000 }, () => {})).toThrow('1000 values');
  expect(() => walkPlain([[[1]]], { depth: 3, values: 1000 }, () => {})).toThrow('3 levels');
});
