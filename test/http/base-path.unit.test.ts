import { expect, test } from 'vitest';
import { basePathOf, createRewriteUrl } from '../../src/http/base-path.ts';

const rewriting = (basePath: string) => {
  const addresses = createRewriteUrl(basePath);
  const hooks: ((route: { url: string }) => void)[] = [];
  addresses.learn({ addHook: (_name: string, hook: (route: { url: string }) => void) => hooks.push(hook) } as never);
  for (const url of ['/v1/media', '/docs', '/health/live', '/uploads/*']) for (const hook of hooks) hook({ url });
  return addresses.rewrite;
};

test.each([
  ['http://media.test', ''],
  ['http://media.test/', ''],
  ['https://host/keep', '/keep'],
  ['https://host/a/b', '/a/b'],
])('the path of %s is %j', (url, basePath) => {
  expect(basePathOf(url)).toBe(basePath);
});

test.each([
  ['/keep', '/keep/v1/media?q=a/b', '/v1/media?q=a/b'],
  ['/keep', '/v1/media', '/v1/media'],
  ['/keep', '/keep/nothing', '/keep/nothing'],
  ['/keep', '/keepsake/v1/media', '/keepsake/v1/media'],
  ['/keep', '/keep', '/keep'],
  ['/a/b', '/a/b/docs', '/docs'],
  // A proxy removes `/v1`, so what is left may begin with it, too.
  ['/v1', '/v1/media', '/v1/media'],
  ['/v1', '/v1/v1/media', '/v1/media'],
  ['', '/v1/media', '/v1/media'],
])('below %j, %s is %s', (basePath, url, rewritten) => {
  expect(rewriting(basePath)(url)).toBe(rewritten);
});
