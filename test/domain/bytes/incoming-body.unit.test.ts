import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type BodyBounds, openBody } from '../../../src/domain/bytes/incoming-body.ts';
import { breaking, readAll } from '../../support/bodies.ts';

/** A source whose chunks are given one by one, and that knows what was asked of it. */
function handFed() {
  const waiting: ((result: IteratorResult<Uint8Array>) => void)[] = [];
  let [asked, returned] = [0, 0];
  return {
    source: {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          asked += 1;
          return new Promise<IteratorResult<Uint8Array>>((resolve) => waiting.push(resolve));
        },
        return: () => {
          returned += 1;
          // As with a generator, this waits for a running read.
          return waiting.length > 0
            ? new Promise<never>(() => {})
            : Promise.resolve({ done: true as const, value: undefined });
        },
      }),
    },
    give: (text: string) => waiting.shift()?.({ done: false, value: Buffer.from(text) }),
    end: () => waiting.shift()?.({ done: true, value: undefined }),
    asked: () => asked,
    returned: () => returned,
  };
}

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

const open = (bounds: BodyBounds, ...texts: string[]) => openBody(pieces(...texts), bounds);
const textOf = async (stream: AsyncIterable<unknown>) => (await readAll(stream)).toString();
const headOf = ({ bytes, complete }: { bytes: Uint8Array; complete: boolean }) => [
  Buffer.from(bytes).toString(),
  complete,
];

const cut = fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 6 }));
/** The bytes in chunks that end at these places; empty ones are among them. */
function chunksOf(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((place) => Math.min(place, bytes.length)), bytes.length].toSorted((a, b) => a - b);
  return ends.map((end, index) => bytes.slice(ends[index - 1] ?? 0, end));
}

test('however it is cut, a body is read whole, after its head, and again as long as it fits the replay buffer', async () => {
  const bound = fc.integer({ min: 0, max: 45 });
  await fc.assert(
    fc.asyncProperty(cut, bound, bound, async ([bytes, places], headBytes, replayBytes) => {
      const chunks = chunksOf(bytes, places);
      const body = await openBody(
        (async function* () {
          yield* chunks;
        })(),
        { headBytes, replayBytes },
      );
      const { bytes: head, complete } = body.head();
      expect(Buffer.from(bytes).subarray(0, head.length).equals(head)).toBe(true);
      expect(head.length).toBeGreaterThanOrEqual(Math.min(headBytes, bytes.length));
      if (complete) expect(head).toHaveLength(bytes.length);
      const all = await readAll(body.read());
      expect(all.equals(bytes)).toBe(true);
      expect(body.whole()).toBe(bytes.length <= replayBytes);
      if (body.whole()) expect((await readAll(body.read())).equals(bytes)).toBe(true);
    }),
  );
});

test('however it is cut, a body has at most `maxBytes` bytes', async () => {
  await fc.assert(
    fc.asyncProperty(cut, fc.integer({ min: 0, max: 45 }), async ([bytes, places], maxBytes) => {
      const chunks = chunksOf(bytes, places);
      const read = async () => {
        async function* source() {
          yield* chunks;
        }
        return await readAll((await openBody(source(), { headBytes: 4, maxBytes, replayBytes: 8 })).read());
      };
      if (bytes.length <= maxBytes) expect((await read()).equals(bytes)).toBe(true);
      else await expect(read()).rejects.toMatchObject({ code: 'too_large' });
    }),
  );
});

test('the head is read first, no further than needed, and on request more of it', async () => {
  const fed = handFed();
  const opening = openBody(fed.source, { headBytes: 3 });
  fed.give('ab');
  await expect.poll(fed.asked).toBe(2);
  fed.give('cd');
  const body = await opening;
  expect(headOf(body.head())).toEqual(['abcd', false]);
  expect(headOf(await body.more(4))).toEqual(['abcd', false]);
  expect(fed.asked()).toBe(2);
  const more = body.more(5);
  fed.end();
  expect(headOf(await more)).toEqual(['abcd', true]);
  expect(await textOf(body.read())).toBe('abcd');
});

test('an empty body has an empty, complete head', async () => {
  const body = await open({ headBytes: 1 });
  expect(headOf(body.head())).toEqual(['', true]);
  expect(await textOf(body.read())).toBe('');
});

test('a body that is too large already in its head is refused at once, and its source is ended', async () => {
  const fed = handFed();
  const opening = openBody(fed.source, { headBytes: 10, maxBytes: 3 });
  fed.give('abcd');
  await expect(opening).rejects.toMatchObject({ code: 'too_large', message: expect.stringContaining('3 bytes') });
  expect(fed.returned()).toBe(1);
});

test('the error of a source comes after what it gave before, for every reader', async () => {
  const body = await openBody(breaking(Buffer.from('ab')), { headBytes: 1, replayBytes: 10 });
  expect(body.whole()).toBe(true);
  for (let reader = 0; reader < 2; reader += 1) {
    const reading = body.read();
    expect((await reading.next()).value).toEqual(Buffer.from('ab'));
    await expect(reading.next()).rejects.toThrow('the body broke off');
  }
  expect(body.whole()).toBe(false);
  await expect(body.more(5)).rejects.toThrow('the body broke off');
});

test('a second reader gets the body from its start, the first nothing more, and the read that both wait for runs once', async () => {
  const fed = handFed();
  const opening = openBody(fed.source, { headBytes: 1, replayBytes: 100 });
  fed.give('a');
  const body = await opening;
  const first = body.read();
  expect((await first.next()).value).toEqual(Buffer.from('a'));
  const waiting = first.next();
  await expect.poll(fed.asked).toBe(2);
  const second = textOf(body.read());
  fed.give('b');
  expect(await waiting).toEqual({ done: true, value: undefined });
  await expect.poll(fed.asked).toBe(3);
  fed.end();
  expect(await second).toBe('ab');
  expect(body.whole()).toBe(true);
});

test('a reader that stops early leaves a body that can be read again, and ends one that cannot', async () => {
  const stopAtOnce = async (replayBytes: number) => {
    const fed = handFed();
    const opening = openBody(fed.source, { headBytes: 1, replayBytes });
    fed.give('abc');
    const body = await opening;
    for await (const chunk of body.read()) {
      expect(Buffer.from(chunk).toString()).toBe('abc');
      break;
    }
    return { whole: body.whole(), returned: fed.returned() };
  };
  expect(await stopAtOnce(3)).toEqual({ whole: true, returned: 0 });
  expect(await stopAtOnce(2)).toEqual({ whole: false, returned: 1 });
});

test('a reader that was replaced does not end the body when it stops', async () => {
  const fed = handFed();
  const opening = openBody(fed.source, { headBytes: 1, replayBytes: 3 });
  fed.give('abc');
  const body = await opening;
  const first = body.read();
  await first.next();
  const second = body.read();
  expect((await second.next()).value).toEqual(Buffer.from('abc'));
  const waiting = second.next();
  fed.give('d');
  expect((await waiting).value).toEqual(Buffer.from('d'));
  expect(body.whole()).toBe(false);
  await first.return(undefined);
  expect(fed.returned()).toBe(0);
  await second.return(undefined);
  expect(fed.returned()).toBe(1);
});

test('what is past the replay buffer is passed on and not kept', async () => {
  const body = await open({ headBytes: 1, replayBytes: 3 }, 'ab', 'cd', 'ef');
  const reader = body.read();
  const seen: string[] = [];
  for await (const chunk of reader) seen.push(`${Buffer.from(chunk).toString()} ${body.whole()}`);
  expect(seen).toEqual(['ab true', 'cd false', 'ef false']);
  expect(await textOf(body.read())).toBe('');
});

test('cancelling ends the source once, does not wait for a read that hangs, and does nothing after the end', async () => {
  const fed = handFed();
  const opening = openBody(fed.source, { headBytes: 1 });
  fed.give('a');
  const body = await opening;
  const reader = body.read();
  await reader.next();
  void reader.next();
  await expect.poll(fed.asked).toBe(2);
  await body.cancel();
  expect(fed.returned()).toBe(1);

  const over = handFed();
  const openingOver = openBody(over.source, { headBytes: 1 });
  over.end();
  await (await openingOver).cancel();
  expect(over.returned()).toBe(0);
});

test('cancelling waits until the source has cleaned up, whose failure in that is no error', async () => {
  let cleaned = false;
  const source = {
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: false as const, value: Buffer.from('a') }),
      return: async (): Promise<never> => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        cleaned = true;
        throw new Error('no more');
      },
    }),
  };
  const body = await openBody(source, { headBytes: 1 });
  await body.cancel();
  expect(cleaned).toBe(true);
});
