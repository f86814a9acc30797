import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkKey, copyKey, cutBytes, outputKey, safeSegment, sceneKey, userFolder } from '../../src/storage/keys.ts';

const UNIQUE = '[0-9a-f]{16}';
const problem = (key: string) => {
  try {
    checkKey(key);
    return undefined;
  } catch (error) {
    expect(error).toMatchObject({ code: 'invalid_key' });
    return (error as Error).message;
  }
};

test.each([
  ['alice-09', 'alice-09'],
  ['az', 'az'],
  ['A', '_41'],
  ['_', '_5f'],
  ['a.b@c', 'a_2eb_40c'],
  ['/', '_2f'],
  [':', '_3a'],
  ['`{', '_60_7b'],
  ['ä', '_c3_a4'],
  ['\n', '_0a'],
  ['con', '_63on'],
  ['lpt1', '_6cpt1'],
  ['console', 'console'],
])('the folder of the user %j is %s', (userId, folder) => {
  expect(userFolder(userId)).toBe(folder);
});

test('the folder of a long name is a hash that no short name has', () => {
  expect(userFolder('a'.repeat(200))).toBe('a'.repeat(200));
  expect(userFolder('a'.repeat(201))).toMatch(/^_h[0-9a-f]{64}$/);
  expect(userFolder('a'.repeat(201))).not.toBe(userFolder('a'.repeat(202)));
});

test('no two users share a folder, whatever case the file system ignores, and each is a valid name', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), fc.string({ unit: 'binary', minLength: 1 }), (a, b) => {
      const [one, two] = [userFolder(a), userFolder(b)];
      expect(one === two).toBe(Buffer.from(a).equals(Buffer.from(b)));
      expect(one).toBe(one.toLowerCase());
      expect(problem(one)).toBeUndefined();
    }),
  );
});

test.each([
  ['a fox', 'a-fox'],
  ['  a  ', 'a'],
  ['a/../b', 'a-b'],
  ['füchse_1', 'füchse_1'],
  ['e\u0301', '\u00e9'],
  ['...', ''],
  ['--a--', 'a'],
  ['CON', 'CON-'],
  ['com¹', 'com¹-'],
  ['', ''],
])('the name %j becomes %j', (text, name) => {
  expect(safeSegment(text)).toBe(name);
});

test('a name is cut between characters, and does not end with a dash', () => {
  expect(safeSegment('ää', 3)).toBe('ä');
  expect(safeSegment('ab cd', 3)).toBe('ab');
  expect(cutBytes('ää', 4)).toBe('ää');
  expect(cutBytes('ää', 3)).toBe('ä');
  expect(cutBytes('\u{1f98a}', 3)).toBe('');
  expect(cutBytes('abc', 2)).toBe('ab');
});

test('the key of an output names its user, the subfolders and the file', () => {
  const key = (parts: object) => outputKey({ userId: 'u', ext: 'png', ...parts });
  expect(key({})).toMatch(new RegExp(`^outputs/u/media-${UNIQUE}\\.png$`));
  expect(key({ filename: 'a fox.jpeg' })).toMatch(new RegExp(`^outputs/u/a-fox-${UNIQUE}\\.png$`));
  expect(key({ filename: 'a.b.c' })).toMatch(new RegExp(`^outputs/u/a-b-${UNIQUE}\\.png$`));
  expect(key({ subfolder: '' })).toMatch(new RegExp(`^outputs/u/media-${UNIQUE}\\.png$`));
  expect(key({ subfolder: 'a/b c\\d' })).toMatch(new RegExp(`^outputs/u/a/b-c/d/media-${UNIQUE}\\.png$`));
  expect(key({})).not.toBe(key({}));
});

test('at most eight subfolders, each with something in its name', () => {
  const key = (subfolder: string) => outputKey({ userId: 'u', ext: 'png', subfolder });
  expect(key('1/2/3/4/5/6/7/8')).toContain('/8/');
  for (const wrong of ['1/2/3/4/5/6/7/8/9', 'a//b', '/a', 'a/', '.', 'a/..', '*'])
    expect(() => key(wrong)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
});

test('the key of a scene names its project, the scene and the time', () => {
  const before = Date.now();
  const [, time] = /^projects\/ab\/scenes\/s-1_(\d+)-[0-9a-f]{16}\.png$/.exec(sceneKey('AB', 's 1', 'png')) ?? [];
  expect(Number(time)).toBeGreaterThanOrEqual(before);
  expect(Number(time)).toBeLessThanOrEqual(Date.now());
  expect(sceneKey('ab', '...', 'png')).toMatch(/^projects\/ab\/scenes\/scene_/);
});

test.each([
  ['outputs/u/fox-0123456789abcdef.png', 'outputs/u/fox-', '.png'],
  ['outputs/u/fox.png', 'outputs/u/fox-', '.png'],
  ['fox', 'fox-', ''],
  ['a/b.c.d', 'a/b.c-', '.d'],
  [`a/${'x'.repeat(250)}.png`, `a/${'x'.repeat(200)}-`, '.png'],
])('a copy of %s lies next to it under a new name', (key, start, end) => {
  const copy = copyKey(key);
  expect(copy).toMatch(new RegExp(`${UNIQUE}${end.replace('.', '\\.')}$`));
  expect(copy).toHaveLength(start.length + 16 + end.length);
  expect(copy.startsWith(start)).toBe(true);
  expect(copyKey(key)).not.toBe(copy);
  expect(problem(copy)).toBeUndefined();
});

test.each(['a', 'a/b.png', 'ä', 'a b', 'x'.repeat(255), Array.from({ length: 4 }, () => 'x'.repeat(249)).join('/')])(
  '%s is a key',
  (key) => expect(problem(key)).toBeUndefined(),
);

test.each([
  ['', 'empty'],
  ['\ud800', 'Unicode'],
  [Array.from({ length: 5 }, () => 'x'.repeat(200)).join('/'), '1000 bytes'],
  ['a\nb', 'control character'],
  ['a\\b', 'backslash'],
  ['a\u007f', 'control character'],
  ['/a', "'/'"],
  ['a/', "'/'"],
  ['a//b', '//'],
  ['..', "'.'"],
  ['a/.b', "'.'"],
  ['x'.repeat(256), '255 bytes'],
  ['ä'.repeat(128), '255 bytes'],
])('%j is no key: %s', (key, reason) => {
  expect(problem(key)).toContain(reason);
});
