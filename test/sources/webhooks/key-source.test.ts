import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createKeySource, type KeySource } from '../../../src/sources/webhooks/key-source.ts';
import { type KeyServer, makeKey, startKeyServer } from '../../support/key-server.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
let server: KeyServer;
beforeEach(async () => {
  // Only the clock is set by hand; sockets and timeouts are real.
  vi.useFakeTimers({ toFake: ['Date'] });
  server = await startKeyServer([]);
});
afterEach(async () => {
  vi.useRealTimers();
  await server.close();
});

const after = (ms: number): void => void vi.setSystemTime(Date.now() + ms);
const ed25519 = async (kid: string) => {
  const { jwk, pem } = await makeKey('EdDSA', kid);
  return { jwk, pem: pem.trim() };
};
const pems = async (source: KeySource, fresh = false): Promise<string[]> =>
  (await source.keys(fresh)).map((key) => key.export({ type: 'spki', format: 'pem' }).toString().trim());

test('keys are fetched once and kept for a day, however many webhooks ask at once', async () => {
  const key = await ed25519('a');
  server.publish([key.jwk]);
  const source = createKeySource(server.url);
  expect(server.asked).toHaveLength(0);
  await Promise.all(Array.from({ length: 20 }, () => source.keys(false)));
  after(DAY - MINUTE);
  expect(await pems(source)).toEqual([key.pem]);
  expect(server.asked).toHaveLength(1);
  after(2 * MINUTE);
  await source.keys(false);
  expect(server.asked).toHaveLength(2);
});

test('a rotated key is taken up when a signature fits no known one, but wrong signatures cause one fetch a minute', async () => {
  const [old, next] = [await ed25519('old'), await ed25519('next')];
  server.publish([old.jwk]);
  const source = createKeySource(server.url);
  expect(await pems(source)).toEqual([old.pem]);
  server.publish([next.jwk, old.jwk]);
  for (let asked = 0; asked < 10; asked++) expect(await pems(source, true)).toEqual([old.pem]);
  expect(server.asked).toHaveLength(1);
  after(MINUTE + 1);
  for (let asked = 0; asked < 10; asked++) expect(await pems(source, true)).toEqual([next.pem, old.pem]);
  expect(server.asked).toHaveLength(2);
});

test('the last keys stay in use while the key set cannot be fetched, or holds no usable key', async () => {
  const key = await ed25519('a');
  server.publish([key.jwk]);
  const source = createKeySource(server.url);
  await source.keys(false);
  server.publish([]);
  after(2 * DAY);
  expect(await pems(source)).toEqual([key.pem]);
  expect(server.asked).toHaveLength(2);
  await server.close();
  after(2 * DAY);
  expect(await pems(source, true)).toEqual([key.pem]);
});

test('keys of other kinds and malformed entries are skipped', async () => {
  const key = await ed25519('a');
  const { jwk: ec } = await makeKey('ES256', 'ec');
  server.publish([ec, 'x' as never, null as never, { kty: 'OKP', crv: 'Ed25519', x: 'short' }, key.jwk]);
  expect(await pems(createKeySource(server.url))).toEqual([key.pem]);
});

test.each([
  ['no keys', 200, () => '{"keys":[]}'],
  ['no JSON', 200, () => 'not json'],
  ['status 500', 500, (keys: string) => `{"keys":${keys}}`],
  ['a redirect', 302, (keys: string) => `{"keys":${keys}}`],
  ['more than 256 KiB', 200, (keys: string) => `{"keys":${keys},"padding":"${'x'.repeat(300 * 1024)}"}`],
])('an answer with %s gives keys_unavailable when no keys are known', async (_name, status, bodyOf) => {
  const { jwk } = await ed25519('a');
  server.publish([jwk]);
  const bad = createServer((_request, response) => {
    response.writeHead(status, { location: server.url }).end(bodyOf(JSON.stringify([jwk])));
  });
  await new Promise<void>((resolve) => bad.listen(0, '127.0.0.1', resolve));
  const source = createKeySource(`http://127.0.0.1:${(bad.address() as AddressInfo).port}/`);
  await expect(source.keys(false)).rejects.toMatchObject({ code: 'keys_unavailable', retryAfter: 10 });
  bad.close();
  bad.closeAllConnections();
});
