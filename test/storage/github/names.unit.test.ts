import { expect, test } from 'vitest';
import { branchProblem, directoryProblem, isDotGit, parseRepository } from '../../../src/storage/github/names.ts';

test.each([
  ['octo/media', { owner: 'octo', repo: 'media' }],
  ['o-c-t-o/me.di_a-1', { owner: 'o-c-t-o', repo: 'me.di_a-1' }],
  [`${'a'.repeat(39)}/${'b'.repeat(100)}`, { owner: 'a'.repeat(39), repo: 'b'.repeat(100) }],
  ['octo', undefined],
  ['octo/', undefined],
  ['/media', undefined],
  ['octo/media/more', undefined],
  ['-octo/media', undefined],
  ['octo-/media', undefined],
  ['oc--to/media', undefined],
  [`${'a'.repeat(40)}/media`, undefined],
  [`octo/${'b'.repeat(101)}`, undefined],
  ['octo/me dia', undefined],
  ['octo/.', undefined],
  ['octo/..', undefined],
  ['octo/media.git', undefined],
  ['octo/media.GIT', undefined],
])('the repository %s is %j', (text, expected) => {
  expect(parseRepository(text)).toEqual(expected);
});

test.each(['main', 'feature/media', 'a.b', 'a@b', 'ä', 'a'.repeat(244)])('%s can be a branch', (name) => {
  expect(branchProblem(name)).toBeUndefined();
});

test.each([
  ['', 'empty'],
  ['\ud800', 'Unicode'],
  ['a'.repeat(245), '244 bytes'],
  ['ä'.repeat(123), '244 bytes'],
  ['a b', 'space'],
  ['a\u007f', 'control character'],
  ['a~1', '~'],
  ['@', '@'],
  ['a@{1}', '@{'],
  ['a..b', '..'],
  ['-a', "'-'"],
  ['a.', "'.'"],
  ['refs/heads/main', 'full reference'],
  ['HEAD', 'full reference'],
  ['/a', "'/'"],
  ['a/', "'/'"],
  ['a//b', '//'],
  ['a/.b', '.lock'],
  ['a.lock/b', '.lock'],
])('the branch %j is refused, for it %s', (name, problem) => {
  expect(branchProblem(name)).toContain(problem);
});

test.each(['media', 'media/2026', 'ä', 'a'.repeat(200), 'ä'.repeat(100), 'a b'])('%s can be the folder', (name) => {
  expect(directoryProblem(name)).toBeUndefined();
});

test.each([
  ['\ud800', 'Unicode'],
  ['a'.repeat(201), '200 bytes'],
  ['ä'.repeat(101), '200 bytes'],
  ['a\nb', 'control character'],
  ['a\\b', 'backslash'],
  ['', 'empty'],
  ['a//b', '//'],
  ['a/', "'/'"],
  ['a/.b', "'.'"],
  ['a/git~1', '.git'],
])('the folder %j is refused, for it %s', (name, problem) => {
  expect(directoryProblem(name)).toContain(problem);
});

test.each([
  ['.git', true],
  ['.GIT', true],
  ['.g\u200cit', true],
  ['.git. .', true],
  ['.git:stream', true],
  ['git~1', true],
  ['git~2', false],
  ['git', false],
  ['.github', false],
  ['a.git', false],
])('whether a file system takes %j for .git: %s', (segment, expected) => {
  expect(isDotGit(segment)).toBe(expected);
});
