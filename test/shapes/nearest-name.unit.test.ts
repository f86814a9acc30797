import { expect, test } from 'vitest';
import { nearest } from '../../src/shapes/nearest-name.ts';

test.each([
  ['tags', 'tag'],
  ['tag[]', 'tag'],
  ['user_id', 'userId'],
  ['USERID', 'userId'],
  ['negativePromt', 'negativePrompt'],
  ['colour', undefined],
  ['xyz', undefined],
  ['user', 'userId'],
  ['negative', 'negativePrompt'],
  ['use', undefined],
  ['userId'.padEnd(80, 'x'), undefined],
])('%s suggests %s', (name, wanted) => {
  expect(nearest(name, ['tag', 'userId', 'prompt', 'negativePrompt', 'q'])).toBe(wanted);
});
