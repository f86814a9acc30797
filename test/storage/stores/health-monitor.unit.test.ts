import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BackgroundParts } from '../../../src/background/parts.ts';
import { repeatWith } from '../../../src/background/repeat.ts';
import { watchStores } from '../../../src/storage/stores/health-monitor.ts';
import { createStores } from '../../../src/storage/stores/stores.ts';
import { createStore } from '../../../src/storage/stores/store.ts';
import { createMemoryDriver } from '../../support/storage/memory-driver.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const body = async function* () {
  yield Buffer.from('x');
};

const DOWN = expect.stringMatching(
  /^store 'far' cannot be reached \(.+\); requests avoid it, and it is tried again every 5 s$/,
);

function watched() {
  const driver = createMemoryDriver();
  const store = createStore('far', 'memory', driver);
  const lines: string[] = [];
  const log = {
    warn: (_details: object, message: string) => void lines.push(message),
    info: (_details: object, message: string) => void lines.push(message),
  };
  const monitor = watchStores(createStores([store], { primary: 'far' }), log, repeatWith(new BackgroundParts(log)));
  return { driver, store, lines, monitor };
}
const put = (store: ReturnType<typeof watched>['store'], key: string) =>
  store.put(key, { body: body(), contentType: 'image/png' });

test('a failing store gets no requests until its health check succeeds, and both changes are logged', async () => {
  const { driver, store, lines, monitor } = watched();
  driver.down = true;
  for (let count = 0; count < 5; count += 1) await expect(put(store, `${count}`)).rejects.toThrow();
  await vi.advanceTimersByTimeAsync(5000);
  expect(lines).toEqual([DOWN]);
  // Longer than a breaker stays open by itself: no caller's request is sent as a test.
  await vi.advanceTimersByTimeAsync(60_000);
  driver.down = false;
  await expect(put(store, 'early')).rejects.toMatchObject({ code: 'store_unavailable' });
  expect(driver.objects.size).toBe(0);
  await vi.advanceTimersByTimeAsync(5000);
  expect(store.available()).toBe(true);
  await put(store, 'back');
  expect([...driver.objects.keys()]).toEqual(['back']);
  expect(lines).toEqual([DOWN, "store 'far' is back"]);
  monitor.stop();
});

test('a working store is not checked', async () => {
  const { driver, store, lines, monitor } = watched();
  const asked = vi.spyOn(driver, 'healthy');
  await put(store, 'a');
  await vi.advanceTimersByTimeAsync(30_000);
  expect([asked.mock.calls.length, lines]).toEqual([0, []]);
  monitor.stop();
});

test('a health check that hangs is given up after five seconds', async () => {
  const { driver, store, monitor } = watched();
  driver.healthy = () => new Promise(() => {});
  const asked = store.healthy().catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(5000);
  expect(await asked).toMatchObject({ code: 'store_unavailable' });
  expect(store.available()).toBe(false);
  monitor.stop();
});
