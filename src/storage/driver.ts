import type { Readable } from 'node:stream';
import type { QueryExecutorProvider } from 'kysely';

/** Yes or no, and why: shown to operators, and the place where a limit is explained. */
export interface Capability {
  able: boolean;
  reason: string;
}

export interface Capabilities {
  /** Can return a part of an object. */
  range: Capability;
  /** Can make a URL at which a client reads the bytes without the service. */
  presignGet: Capability;
  presignPut: Capability;
  /** Has permanent public URLs. */
  publicUrl: Capability;
  /** Can list keys below a prefix. */
  list: Capability;
  /** Largest object in bytes; undefined when the store sets no limit. */
  maxObjectBytes: number | undefined;
}

/** First and last byte, both included. */
export interface ByteRange {
  start: number;
  end: number;
}

export interface PutOptions {
  /** Expected size of the body, if known. */
  size?: number | undefined;
  contentType: string;
  /** Replace an existing object, atomically. Without it an existing key is an error (EEXIST). */
  overwrite?: boolean;
  signal?: AbortSignal | undefined;
}

export interface PutResult {
  bytes: number;
  etag?: string;
}

export interface GetOptions {
  range?: ByteRange | undefined;
  /** Expected size of the object; may spare a driver a request. The result has the actual size. */
  bytes?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface GetResult {
  readonly stream: Readable;
  /** The same bytes, if the driver has read them at once; a caller that uses them does not use the stream. */
  readonly data?: Buffer;
  /**
   * Passes the bytes to `write` instead of the stream, where a driver has a cheaper way. A chunk belongs to the receiver until
   * the promise of its write settles.
   */
  sendTo?(write: (piece: Buffer) => Promise<void>): Promise<void>;
  /** Bytes that the stream will yield. */
  readonly bytes: number;
  /** Bytes of the whole object. */
  readonly totalBytes: number;
  /** Changes with each write to the object, where the driver can tell. */
  readonly version?: string;
}

/** Headers of the response to a presigned GET, whatever was stored with the object. */
export interface PresignGetOptions {
  /** Seconds until the URL is refused. */
  expiresIn: number;
  contentType?: string | undefined;
  /** A whole Content-Disposition header. */
  contentDisposition?: string | undefined;
  cacheControl?: string | undefined;
}

export interface PresignPutOptions {
  /** Seconds until the URL is refused. */
  expiresIn: number;
  contentType: string;
  /** The only length that the store will accept. */
  bytes: number;
}

/** A request that a client sends by itself; the store refuses one whose headers differ. */
export interface PresignedPut {
  url: string;
  /** Headers that the client must send, besides Content-Length. */
  headers: Record<string, string>;
}

export interface ObjectStat {
  bytes: number;
  modifiedAt: Date;
}

export interface ListPage {
  objects: { key: string; bytes: number; modifiedAt: Date }[];
  cursor: string | undefined;
}

/**
 * The interface of every kind of storage. Keys are checked before a driver sees them, and failures get their code afterwards
 * (`stores.ts`), so a driver simply throws. For a missing object `get` and `stat` return undefined, and `delete` succeeds. An
 * object must not be visible under its key before all of its bytes are durable.
 */
export interface Driver {
  readonly capabilities: Capabilities;
  /** Reached over a network: if its health check fails, it cannot be read either. A full or read-only disk still can. */
  readonly remote?: boolean;
  /** Where the objects lie, without secrets; equal for two drivers that would see each other's objects. */
  readonly place?: string;
  /**
   * What stands before a key in an absolute path or an address (`s3://bucket`): as this service sees the objects, and where others have
   * mounted the volume.
   */
  readonly mounts?: { readonly own: readonly string[]; readonly aliases: readonly string[] };
  /** Others write into it: a volume that back ends mount, a bucket that they upload to. An object that they name may be here. */
  readonly shared?: boolean;
  /** Its bytes are in a database, which matters to backups and replication. */
  readonly inDatabase?: boolean;
  /**
   * Start check: throws a StorageError that names the setting and how to fix it; MISCONFIGURED when an operator must act,
   * UNAVAILABLE when the store may recover. May be repeated.
   */
  check?(): Promise<void>;
  put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions): Promise<PutResult>;
  get(key: string, options?: GetOptions): Promise<GetResult | undefined>;
  stat(key: string): Promise<ObjectStat | undefined>;
  /** Also removes the leftovers of an interrupted `put` of that key. */
  delete(key: string): Promise<void>;
  list(prefix: string, cursor?: string): Promise<ListPage>;
  /** Throws with the reason when the store cannot be written or read at the moment. */
  healthy(): Promise<void>;
  /** Bytes that this user may still write, and bytes in total, where the driver can tell. */
  space?(): Promise<{ free: number; total: number }>;
  /** How well objects are kept here, as found out; shown by `mediakeep doctor`. */
  remark?(): string | undefined;
  /** Present exactly when `capabilities.presignGet` is; the object need not exist. Never logged, never stored. */
  presignGet?(key: string, options: PresignGetOptions): Promise<string>;
  /**
   * Present exactly when `capabilities.presignPut` is. Undefined when this server would let the URL replace a stored object, or
   * takes no object of that size in one request: then the client uploads through the service.
   */
  presignPut?(key: string, options: PresignPutOptions): Promise<PresignedPut | undefined>;
  /** Present exactly when `capabilities.publicUrl` is: an unsigned URL that never expires. */
  publicUrl?(key: string): string;
  /**
   * Path at which the service serves this store's objects for good. The path contains only the key, so just one store can have
   * it. The keys of moved objects stay known.
   */
  servedPath?(key: string): string;
  close?(): Promise<void>;
}

/** A failure that the driver can classify; others are classified by their system code. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
  /** MISCONFIGURED: waiting does not help, a setting or permission must be changed. UNUSED: never made, and `lookOnly` forbids it. */
  readonly code:
    | 'EXISTS'
    | 'OUTSIDE'
    | 'NOT_A_FILE'
    | 'SIZE'
    | 'UNAVAILABLE'
    | 'UNUSED'
    | 'NO_SPACE'
    | 'TOO_LARGE'
    | 'MISCONFIGURED';
  /** Seconds after which to retry, when the store says so. */
  readonly retryAfter: number | undefined;

  constructor(code: StorageError['code'], message: string, options?: { cause?: unknown; retryAfter?: number }) {
    super(message, options);
    this.code = code;
    this.retryAfter = options?.retryAfter;
  }
}

/** A named lock that one process among all replicas holds until it expires or is released. */
export interface Lease {
  /** Extends it by its full time; false when another process took it over, so the work must be given up. */
  renew(): Promise<boolean>;
  release(): Promise<void>;
}

/** Services that the registry provides to drivers. */
/**
 * Runs `work` at this interval, first after one interval, as the background part `name` of the process. Failures are reported and
 * retried; they never reach the caller.
 */
export type Repeat = (name: string, everyMs: number, work: () => Promise<void>) => { stop(): void };

export interface DriverContext {
  /** The store's name. */
  store: string;
  /** Nothing is made that is not there: no folder, no identity, no bucket. Then creating or checking throws StorageError UNUSED. */
  lookOnly?: boolean;
  /** The identity that the first replica registered for this store. */
  registeredIdentity(): Promise<string | undefined>;
  /** Registers `identity` unless one is registered; returns the registered one. */
  registerIdentity(identity: string): Promise<string>;
  /** Takes the lease `name` for `seconds` of database time; returns undefined at once when it is taken. */
  lease(name: string, seconds: number): Promise<Lease | undefined>;
  /** For background work. */
  repeat: Repeat;
  /** The service's database, for single statements; no connection is held while bytes flow. */
  executor: QueryExecutorProvider;
  /** Writes to the service's log; never a secret or a signed URL. */
  log(level: 'info' | 'warn' | 'error', message: string, details?: Record<string, unknown>): void;
}
