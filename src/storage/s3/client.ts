import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import type { DriverContext } from '../driver.ts';
import { isStall } from './errors.ts';
import { type PartMemory, createPartMemory } from './part-memory.ts';
import { type S3Limits, type S3Options, S3_LIMITS, UPLOAD_MEMORY_BYTES, settingName } from './settings.ts';

export type S3Sdk = typeof import('@aws-sdk/client-s3');

/**
 * How the server treats `If-None-Match: *` on a PUT: honours it, stores all the same, or refuses the request. Unknown until the
 * start check has tried.
 */
type Conditional = 'unknown' | 'honoured' | 'ignored' | 'refused';

/** One bucket, and everything that a request to it needs. */
export interface S3Bucket {
  sdk: S3Sdk;
  name: string;
  /** For requests whose bodies and responses are small or whole in memory: the socket's idle timeout ends them. */
  client: S3Client;
  /** For downloads: silence may come from a client that reads slowly, so the body has a watchdog instead. */
  reader: S3Client;
  /** Signs URLs; never contacts the server. */
  signer: S3Client;
  limits: S3Limits;
  /** Shared by all uploads. */
  memory: PartMemory;
  prefix: string;
  /** The object's full name in the bucket. */
  path(key: string): string;
  conditional: Conditional;
  /** ETags of directory buckets are no digests. */
  plainEtags: boolean;
  /** The environment variable of one of this store's options. */
  setting(option: string): string;
  log: DriverContext['log'];
  close(): void;
}

/** Loads the SDK, which costs memory and a tenth of a second, and creates clients; contacts nothing. */
export async function openBucket(options: S3Options, context: DriverContext): Promise<S3Bucket> {
  const sdk = await import('@aws-sdk/client-s3');
  const limits = { ...S3_LIMITS, ...options.limits };
  const config: S3ClientConfig = {
    region: options.region,
    forcePathStyle: options.forcePathStyle,
    // The default adds trailing checksums to streams, on which older gateways fail (MissingContentLength).
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Waiting for a "100 Continue" takes a new connection per part, and seconds where a proxy swallows it.
    expectContinueHeader: false,
    retryStrategy: retryStrategy(limits.attempts),
    ...(options.endpoint !== undefined && { endpoint: options.endpoint }),
    ...(options.credentials && { credentials: options.credentials }),
  };
  const agent = () => ({
    // Every request belongs to a caller that was admitted already; a queue here would only hide the load.
    httpAgent: { keepAlive: true, maxSockets: Infinity },
    httpsAgent: { keepAlive: true, maxSockets: Infinity },
    connectionTimeout: limits.connectMs,
  });
  const client = new sdk.S3Client({ ...config, requestHandler: { ...agent(), socketTimeout: limits.stallMs } });
  const reader = new sdk.S3Client({ ...config, requestHandler: agent(), credentials: client.config.credentials });
  const signer =
    options.publicEndpoint === undefined
      ? reader
      : new sdk.S3Client({
          ...config,
          endpoint: options.publicEndpoint,
          credentials: client.config.credentials,
        });
  const setting = (option: string) => settingName(context.store, option);
  const memory = createPartMemory({
    bytes: options.uploadMemoryBytes ?? UPLOAD_MEMORY_BYTES,
    partBytes: limits.partBytes,
    waitMs: limits.memoryWaitMs,
    setting: setting('UPLOAD_MEMORY_BYTES'),
  });
  return {
    sdk,
    name: options.bucket,
    client,
    reader,
    signer,
    limits,
    memory,
    prefix: options.prefix,
    path: (key) => options.prefix + key,
    conditional: 'unknown',
    plainEtags: !options.bucket.endsWith('--x-s3'),
    setting,
    log: context.log,
    close: () => {
      memory.close();
      for (const each of new Set([client, reader, signer])) each.destroy();
    },
  };
}

type RetryStrategy = Extract<S3ClientConfig['retryStrategy'], { acquireInitialRetryToken: unknown }>;

/** Longest wait between two attempts; a longer Retry-After becomes the error. */
const MAX_WAIT_MS = 2000;

/** Retries transient failures, a few times and soon. A stall is not retried: it has cost its caller half a minute already. */
function retryStrategy(attempts: number): RetryStrategy {
  const token = (count: number, delay: number) => ({ getRetryCount: () => count, getRetryDelay: () => delay });
  return {
    acquireInitialRetryToken: async () => token(0, 0),
    recordSuccess: () => {},
    refreshRetryTokenForRetry: async (last, { error, errorType, retryAfterHint }) => {
      const count = last.getRetryCount() + 1;
      const asked = retryAfterHint === undefined ? 0 : retryAfterHint.getTime() - Date.now();
      if (errorType === 'CLIENT_ERROR' || isStall(error) || count >= attempts || asked > MAX_WAIT_MS)
        throw new Error('no further attempt');
      const backoff = Math.random() * 50 * 3 ** count;
      return token(count, Math.min(Math.max(asked, backoff), MAX_WAIT_MS));
    },
  };
}
