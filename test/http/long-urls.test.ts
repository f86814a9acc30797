import { afterAll, beforeAll, expect, test } from 'vitest';
import { png } from '../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../support/test-app.ts';

let t: TestApp;
let id: string;
const headers = asUser('a');
beforeAll(async () => {
  t = await createTestApp();
  const answer = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { ...headers, 'content-type': 'image/png' },
    payload: png(),
  });
  id = answer.json().id;
});
afterAll(() => t.close());

/** The head of a request may have 32 KiB. */
const SIZE = 31 * 1024;
const fill = (piece: string, size = SIZE) => piece.repeat(Math.floor(size / piece.length));

const URLS: Record<string, string> = {
  'eyJeyJ…': `/v1/media?${fill('eyJ')}`,
  'a value eyJeyJ…': `/v1/media?q=${fill('eyJ')}`,
  '&&&&…': `/v1/media?${fill('&')}`,
  'a=&a=&…': `/v1/media?${fill('a=&')}`,
  'many names': `/v1/media?${Array.from({ length: 4000 }, (_value, n) => `n${n}=1`).join('&')}`,
  'many names with escapes': `/v1/media?${Array.from({ length: 3000 }, (_value, n) => `%6e${n}=1`).join('&')}`,
  'many tags': `/v1/media?${fill('tag=a&')}`,
  '%25%25…': `/v1/media?q=${fill('%25')}`,
  '%25 in names': `/v1/media?${fill('%25')}`,
  '%%%%…': `/v1/media?${fill('%')}`,
  '%e0%a4…': `/v1/media?q=${fill('%e0%a4%a4')}`,
  'token=token=…': `/v1/media?${fill('token=')}`,
  '&token=…': `/v1/media?${fill('&token=')}`,
  '++++…': `/v1/media?q=${fill('+')}`,
  '[[[[…': `/v1/media?metadata=${fill('%5B')}`,
  '{"a":{"a":…': `/v1/media?metadata=${fill(encodeURIComponent('{"a":'))}`,
  'a cursor': `/v1/media?cursor=${fill('A.')}`,
  'a time': `/v1/media?createdAfter=${fill('1')}`,
  'a uuid': `/v1/media?projectId=${fill('a-')}`,
  'a path of slashes': `/v1/media${fill('/')}`,
  'a path of dots': `/uploads/${fill('../')}`,
  'a path of escapes': `/uploads/${fill('%2e')}`,
  'an upload of dashes': `/uploads/outputs/a/${fill('-')}.png`,
  'a signed URL': `/v1/signed/${fill('a.')}`,
  'a signed URL with escapes': `/v1/s%69gned/${fill('%61')}`,
  'an id': `/v1/media/${fill('1')}`,
  'a job': `/v1/jobs/${fill('a-', 1000)}/${fill('b', 2000)}`,
  'a webhook': `/v1/webhooks/generic?secret=${fill('x')}`,
  ';;;;…': `/v1/media?${fill(';')}`,
  '####…': `/v1/media?${fill('#')}`,
};
const HEADERS: Record<string, [string, string]> = {
  'a range of digits': ['range', `bytes=${fill('1')}-`],
  'a range of spaces': ['range', `bytes=${fill(' ')}`],
  'many ranges': ['range', `bytes=${fill('0-1,')}`],
  'many tags': ['if-none-match', fill('"a",')],
  'one tag of spaces': ['if-none-match', `"${fill(' ')}"`],
  'many weak tags': ['if-none-match', fill('W/')],
  'an accept of many types': ['accept', fill('a/b;q=0.1,')],
  'an accept of spaces': ['accept', fill(' ;')],
  'a request id': ['x-request-id', fill('a.')],
  'an authorization': ['authorization', `Bearer ${fill('eyJ')}`],
  'an authorization of dots': ['authorization', `Bearer ${fill('a.')}`],
  'an authorization of spaces': ['authorization', `Bearer${fill(' ')}`],
  'a forwarding': ['x-forwarded-for', fill('1.2.3.4, ')],
  'a forwarding of commas': ['x-forwarded-for', fill(',')],
  'an origin': ['origin', `https://${fill('a.')}`],
  'a digest': ['content-digest', fill('sha-256=:AAAA:,')],
  'a digest of spaces': ['content-digest', `${fill(' ')}x`],
  'a digest of base64': ['content-digest', `sha-256=:${fill('A')}`],
  'a content type': ['content-type', `image/${fill('a;')}`],
  'an encoding': ['content-encoding', fill(' ')],
  'a cookie': ['cookie', fill('a=b;')],
};

/** Milliseconds of the fastest of several tries, to exclude other load. */
async function timed(ask: () => Promise<unknown>): Promise<number> {
  let least = Infinity;
  for (let times = 0; times < 8; times += 1) {
    const began = performance.now();
    await ask();
    least = Math.min(least, performance.now() - began);
  }
  return least;
}

test('no URL and no header of 31 KiB costs much more than a plain request', async () => {
  const plain = await timed(() => t.app.inject({ url: '/v1/media?limit=5&tag=a', headers }));
  const costs: [string, number][] = [];
  for (const [name, url] of Object.entries(URLS)) {
    expect((await t.app.inject({ url, headers })).statusCode, name).toBeLessThan(500);
    costs.push([name, await timed(() => t.app.inject({ url, headers }))]);
  }
  for (const [name, [header, value]] of Object.entries(HEADERS))
    for (const method of ['GET', 'POST'] as const) {
      const request = {
        method,
        url: method === 'GET' ? `/v1/media/${id}/content` : '/v1/media',
        headers: { ...headers, 'content-type': 'image/png', [header]: value },
        ...(method === 'POST' && { payload: Buffer.from('no picture') }),
      };
      expect((await t.app.inject(request)).statusCode, name).toBeLessThan(500);
      costs.push([`${method} ${name}`, await timed(() => t.app.inject(request))]);
    }
  if (process.env['SHOW_COSTS'] !== undefined)
    for (const [name, ms] of costs.toSorted(([, a], [, b]) => b - a))
      process.stdout.write(`${ms.toFixed(2)} ms ${name}\n`);
  // Generous: quadratic work takes hundreds of milliseconds.
  for (const [name, ms] of costs)
    expect.soft(ms, `${name}, beside ${plain.toFixed(2)} ms`).toBeLessThan(10 * plain + 20);
});
