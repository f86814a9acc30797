import { createHash } from 'node:crypto';
import { AppError } from '../../errors.ts';
import { abortable } from '../streams/abortable.ts';
import { createBreaker } from './breaker.ts';
import { asAppFailure, wrongSize } from './app-failure.ts';
import { type Mounts, mountsOf } from './mounts.ts';
import {
  type Capabilities,
  type Driver,
  type GetOptions,
  type GetResult,
  type ListPage,
  type ObjectStat,
  type PresignGetOptions,
  type PresignPutOptions,
  type PresignedPut,
  StorageError,
} from '../driver.ts';
import { checkKey } from '../keys.ts';

export interface StorePut {
  body: AsyncIterable<Uint8Array>;
  contentType: string;
  size?: number | undefined;
  overwrite?: boolean;
  /** Called with each chunk as it passes. */
  onChunk?: (chunk: Uint8Array) => void;
  signal?: AbortSignal | undefined;
  /** Called with the whole body's facts before the object becomes visible; if it throws, nothing is kept. */
  verify?: (stored: { bytes: number; sha256: string }) => void | Promise<void>;
}

export interface Stored {
  bytes: number;
  /** Hexadecimal. */
  sha256: string;
}

/** A named store: a driver behind key checks, error codes, hashing, a circuit breaker and metrics. */
export interface Store extends Mounts {
  readonly name: string;
  readonly driver: string;
  readonly capabilities: Capabilities;
  /** Others write into it, see `Driver`. */
  readonly shared: boolean;
  readonly inDatabase: boolean;
  put(key: string, put: StorePut): Promise<Stored>;
  /** @throws AppError content_missing when there is no such object. */
  get(key: string, options?: GetOptions): Promise<GetResult>;
  stat(key: string): Promise<ObjectStat | undefined>;
  delete(key: string): Promise<void>;
  list(prefix: string, cursor?: string): Promise<ListPage>;
  /** Checks the store itself, even while the breaker is open, and closes it on success. @throws AppError store_unavailable */
  healthy(): Promise<void>;
  /** Whether the store is known to work: its breaker is closed. */
  available(): boolean;
  /** Why the store takes no more bytes, though it can still be read; undefined: it has room as far as is known. */
  shortage(): Promise<string | undefined>;
  /** Present exactly when the capability is. @throws AppError store_unavailable: credentials are unavailable at the moment */
  presignGet?: (key: string, options: PresignGetOptions) => Promise<string>;
  presignPut?: (key: string, options: PresignPutOptions) => Promise<PresignedPut | undefined>;
  publicUrl?: (key: string) => string;
  servedPath?: (key: string) => string;
  close(): Promise<void>;
}

/** Called after every operation: its outcome is `ok` or an error code. */
export type StoreObserver = (store: string, operation: string, outcome: string, seconds: number) => void;

/** Wraps a driver. Every failure becomes an AppError with the driver's error as its cause. */
export function createStore(
  name: string,
  driverName: string,
  driver: Driver,
  observe: StoreObserver = () => {},
  now: () => number = Date.now,
): Store {
  const breaker = createBreaker(now);
  /** When it last refused bytes for lack of room: a quota or used-up inodes do not show as free bytes. */
  let refusedAt = Number.NEGATIVE_INFINITY;

  async function call<T>(operation: string, key: string | undefined, work: () => Promise<T>): Promise<T> {
    if (key !== undefined) checkKey(key);
    if (operation !== 'healthy' && !breaker.allows()) {
      observe(name, operation, 'breaker_open', 0);
      throw new AppError('store_unavailable', `The store '${name}' is not answering; try again shortly.`, {
        retryAfter: 5,
      });
    }
    const started = performance.now();
    try {
      const result = await work();
      breaker.succeeded();
      if (operation === 'put') refusedAt = Number.NEGATIVE_INFINITY;
      observe(name, operation, 'ok', (performance.now() - started) / 1000);
      return result;
    } catch (error) {
      // A sender that disconnected is no failure of the store, whatever its system code.
      if (error instanceof BodyFailure) {
        observe(name, operation, 'body_failed', (performance.now() - started) / 1000);
        throw error.cause;
      }
      const wrapped = asAppFailure(name, error);
      if (wrapped instanceof AppError && wrapped.code === 'storage_full') refusedAt = now();
      // A failed body, a full disk or a wrong key says nothing about whether the store is available.
      if (operation === 'healthy') {
        if (driver.remote === true) breaker.trip();
      } else if (wrapped instanceof AppError && wrapped.code === 'store_unavailable') breaker.failed();
      // Nor does a request that was never sent to the store.
      else if (!(wrapped instanceof AppError && wrapped.code === 'overloaded')) breaker.succeeded();
      observe(
        name,
        operation,
        wrapped instanceof AppError ? wrapped.code : 'aborted',
        (performance.now() - started) / 1000,
      );
      throw wrapped;
    }
  }

  return {
    name,
    driver: driverName,
    capabilities: driver.capabilities,
    shared: driver.shared === true,
    inDatabase: driver.inDatabase === true,
    ...mountsOf(driver),
    put: (key, put) =>
      call('put', key, async () => {
        const measured = measure(put, driver.capabilities.maxObjectBytes);
        try {
          const { bytes } = await driver.put(key, measured.body, put);
          if (bytes !== measured.bytes())
            throw new StorageError('SIZE', `${bytes} of ${measured.bytes()} bytes were stored`);
          return { bytes, sha256: measured.sha256() };
        } catch (error) {
          // The body's own failure takes precedence over what the driver made of it.
          const failure = measured.failure();
          throw failure ? new BodyFailure(failure.error) : error;
        }
      }),
    get: (key, options) =>
      call('get', key, async () => {
        const found = await driver.get(key, options);
        if (!found) throw new AppError('content_missing', `The store '${name}' no longer has these bytes.`);
        // A reader that disconnects before it reads has no error listener; the stream's error must not be uncaught.
        if (!found.data) found.stream.on('error', () => {});
        return found;
      }),
    stat: (key) => call('stat', key, () => driver.stat(key)),
    delete: (key) => call('delete', key, () => driver.delete(key)),
    list: (prefix, cursor) => call('list', undefined, () => driver.list(prefix, cursor)),
    healthy: () => call('healthy', undefined, () => within(HEALTH_MS, driver.healthy())),
    available: () => breaker.state() === 'closed',
    shortage: async () => {
      const { free, total } = (await driver.space?.().catch(() => undefined)) ?? { free: Infinity, total: Infinity };
      if (free < Math.min(LEAST_FREE, total / 100)) return `no room left: ${Math.floor(free / 1024)} KiB are free`;
      return now() - refusedAt < REFUSED_MS ? 'no room left: it has refused bytes within the last minute' : undefined;
    },
    ...withAddresses(name, driver),
    close: async () => driver.close?.(),
  };
}

/** Adds the driver's URL capabilities, behind the key check. */
function withAddresses(
  name: string,
  driver: Driver,
): Pick<Store, 'presignGet' | 'presignPut' | 'publicUrl' | 'servedPath'> {
  const { capabilities } = driver;
  const presignGet = capabilities.presignGet.able ? driver.presignGet?.bind(driver) : undefined;
  const presignPut = capabilities.presignPut.able ? driver.presignPut?.bind(driver) : undefined;
  const publicUrl = capabilities.publicUrl.able ? driver.publicUrl?.bind(driver) : undefined;
  const checked =
    <O, R>(work: (key: string, options: O) => Promise<R>) =>
    async (key: string, options: O): Promise<R> => {
      checkKey(key);
      try {
        return await within(PRESIGN_MS, work(key, options));
      } catch (error) {
        throw asAppFailure(name, error);
      }
    };
  return {
    ...(presignGet && { presignGet: checked(presignGet) }),
    ...(presignPut && { presignPut: checked(presignPut) }),
    ...(publicUrl && { publicUrl }),
    ...(driver.servedPath && { servedPath: driver.servedPath.bind(driver) }),
  };
}

/** Free bytes below which a volume counts as full; on a small volume, a hundredth of its size. */
const LEAST_FREE = 64 * 1024 * 1024;
const REFUSED_MS = 60_000;
/** Signing is local, but its credentials may have to be fetched. */
const PRESIGN_MS = 5000;
/** A store that takes longer for its health check counts as down. */
const HEALTH_MS = 5000;

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  work.catch(() => {});
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new StorageError('UNAVAILABLE', `no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Wraps an error of the body, so that it is not taken for the store's. */
class BodyFailure extends Error {
  override readonly name = 'BodyFailure';

  constructor(cause: unknown) {
    super('the body failed', { cause });
  }
}

interface Measured {
  body: AsyncIterable<Uint8Array>;
  bytes(): number;
  sha256(): string;
  failure(): { error: unknown } | undefined;
}

/**
 * The single place where an incoming body is counted, hashed, held to its size, and aborted by its signal, even while it hangs;
 * `verify` runs before the driver learns that the body has ended.
 */
function measure(put: StorePut, maxBytes = Infinity): Measured {
  const { size, signal, onChunk } = put;
  const hash = createHash('sha256');
  let bytes = 0;
  let digest = '';
  let failure: { error: unknown } | undefined;
  async function* body(): AsyncGenerator<Uint8Array> {
    const chunks = abortable(put.body, signal);
    try {
      for await (const chunk of chunks) {
        bytes += chunk.length;
        if (bytes > maxBytes) throw new AppError('too_large', `The store takes at most ${maxBytes} bytes.`);
        if (size !== undefined && bytes > size) throw wrongSize();
        hash.update(chunk);
        onChunk?.(chunk);
        yield chunk;
      }
      signal?.throwIfAborted();
      if (size !== undefined && bytes !== size) throw wrongSize();
      digest = hash.digest('hex');
      await put.verify?.({ bytes, sha256: digest });
    } catch (error) {
      failure = { error };
      throw error;
    }
  }
  return { body: body(), bytes: () => bytes, sha256: () => digest, failure: () => failure };
}
