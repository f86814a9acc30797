import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { githubPlace } from '../../../src/storage/github/options.ts';
import { TOKEN } from '../../support/github/fake-github.ts';
import { githubOptions } from '../../support/github/github-store.ts';

const urls = { apiUrl: 'https://api.github.example', rawUrl: 'https://raw.github.example' };
const place = (more: Parameters<typeof githubOptions>[1]) => githubPlace('github', githubOptions(urls, more));
const failure = (more: Parameters<typeof place>[0]): Error | undefined => {
  try {
    place(more);
    return undefined;
  } catch (error) {
    return error as Error;
  }
};
const key = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .privateKey.export({ type: 'pkcs1', format: 'pem' })
  .toString();
const app = { token: undefined, appId: '7', appPrivateKey: key, installationId: 9 };

test.each([
  ['a token with a line end', { token: `${TOKEN}\n` }, 'GITHUB_TOKEN: holds white space'],
  ['two tokens', { token: `${TOKEN} ${TOKEN}` }, 'GITHUB_TOKEN: holds white space'],
  ['a token beside an App', { appId: '7' }, 'GITHUB_TOKEN: is given beside an App'],
  ['a token beside the key of an App', { appPrivateKey: key }, 'GITHUB_TOKEN: is given beside an App'],
  ['nothing', { token: undefined }, 'GITHUB_TOKEN: is missing'],
  ['an App without an id', { ...app, appId: undefined }, 'GITHUB_APP_ID: is missing'],
  ['an App without a key', { ...app, appPrivateKey: undefined }, 'GITHUB_APP_PRIVATE_KEY: is missing'],
  ['an App with half a key', { ...app, appPrivateKey: key.slice(0, 500) }, 'GITHUB_APP_PRIVATE_KEY: cannot be read'],
])('%s: refused by the name of the setting, without a secret', (_what, more, message) => {
  const error = failure(more);
  expect(error).toMatchObject({ code: 'MISCONFIGURED', message: expect.stringContaining(message) });
  expect(error?.message).not.toContain(TOKEN);
  expect(error?.message).not.toContain(key.slice(100, 140));
});

test('a token, or an App whose key may stand on one line, are credentials', () => {
  expect(place({}).credentials).toEqual({ type: 'token', token: TOKEN });
  const expected = { type: 'app', appId: '7', privateKey: key, installationId: 9 };
  expect(place(app).credentials).toEqual(expected);
  expect(place({ ...app, appPrivateKey: key.replaceAll('\n', '\\n') }).credentials).toEqual(expected);
});

test("slashes at the end of the API's address do not matter", () => {
  expect(place({ apiUrl: 'https://github.example/api/v3//' }).apiUrl).toBe('https://github.example/api/v3');
});
