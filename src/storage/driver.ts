import type { Readable } from 'node:stream';
import type { QueryExecutorProvider } from 'kysely';

/** A yes or no, and why: shown to operators, and the place where a limit is explained. */
export interface Capability {
  able: boolean;
  reason: string;
}

export interface Capabilities {
  /** Can send a part of an object. */
  range: Capability;
  /** Can make a URL at which a client fetches the bytes without the service. */
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
  /** Bytes that the body must have, when they are known beforehand. */
  size?: number | undefined;
  contentType: string;
  /** Replace what is there, atomically. Without it an existing key is an error (EEXIST). */
  overwrite?: boolean;
  signal?: AbortSignal | undefined;
}

export interface PutResult {
  bytes: number;
  etag?: string;
}

export interface GetOptions {
  range?: ByteRange | undefined;
  /** How many bytes the object should have; may spare a driver to ask. It answers what there is. */
  bytes?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface GetResult {
  readonly stream: Readable;
  /** The same bytes, where the driver has read them at once; whoever takes these leaves the stream alone. */
  readonly data?: Buffer;
  /**
   * Gives the bytes to `write` in place of the stream, where a driver has a cheaper way. A piece is the receiver's until the promise of its
   * write has settled.
   */
  sendTo?(write: (piece: Buffer) => Promise<void>): Promise<void>;
  /** Bytes that the stream will give. */
  readonly bytes: number;
  /** Bytes of the whole object. */
  readonly totalBytes: number;
  /** Another text after each write to the object, where the driver can tell. */
  readonly version?: string;
}

/** How an answer to a presigned GET shall look, whatever was stored with the object. */
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
  /** The only length that the store will take. */
  bytes: number;
}

/** A request that a client makes on its own; the store refuses one whose headers differ. */
export interface PresignedPut {
  url: string;
  /** Headers that the client must send, beside Content-Length. */
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
 * What every kind of storage does. Keys have been checked before a driver sees them, and failures are given their code
 * afterwards (`stores.ts`), so a driver simply throws. A missing object: `get` and `stat` answer undefined, `delete` is content.
 * Nothing may be visible under a key before all of its bytes are durable.
 */
export interface Driver {
  readonly capabilities: Capabilities;
  /** Reached over a network: when it does not say how it is, it gives nothing either. A full or read-only disk still does. */
  readonly remote?: boolean;
  /** Where the objects lie, without secrets; the same for two drivers that would see each other's objects. */
  readonly place?: string;
  /** Absolute paths under which these objects are files: where this service has them, and where others have mounted the volume. */
  readonly mounts?: { readonly own: readonly string[]; readonly aliases: readonly string[] };
  /** Others write into it: a volume that back ends mount, a bucket that they upload to. An object that they name may lie here. */
  readonly shared?: boolean;
  /** Its bytes lie in a database, as backups and replication have to know. */
  readonly inDatabase?: boolean;
  /**
   * Start check: throws a StorageError that names the setting and the remedy, MISCONFIGURED when nothing but an operator can
   * help, UNAVAILABLE when the store may come back by itself. May be repeated.
   */
  check?(): Promise<void>;
  put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions): Promise<PutResult>;
  get(key: string, options?: GetOptions): Promise<GetResult | undefined>;
  stat(key: string): Promise<ObjectStat | undefined>;
  /** Also removes whatever an interrupted `put` of that key has left. */
  delete(key: string): Promise<void>;
  list(prefix: string, cursor?: string): Promise<ListPage>;
  /** Throws with the reason when the store cannot take, or cannot give, anything just now. */
  healthy(): Promise<void>;
  /** Bytes that this user may still write, and bytes in all, where the driver can tell. */
  space?(): Promise<{ free: number; total: number }>;
  /** There exactly when `capabilities.presignGet` is; the object need not exist. Never logged, never stored. */
  presignGet?(key: string, options: PresignGetOptions): Promise<string>;
  /**
   * There exactly when `capabilities.presignPut` is. Undefined when this server would let the URL replace what was stored by it,
   * or takes no object of that size in one request: the bytes come through the service then.
   */
  presignPut?(key: string, options: PresignPutOptions): Promise<PresignedPut | undefined>;
  /** There exactly when `capabilities.publicUrl` is: an address without signature that never expires. */
  publicUrl?(key: string): string;
  /**
   * Path below the service at which it serves this store's objects, for good: the path holds the key alone, so one store has it. The
   * keys of objects that were moved away stay known.
   */
  servedPath?(key: string): string;
  close?(): Promise<void>;
}

/** A failure that the driver can name; anything else is told by its system code. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
  /** MISCONFIGURED: no waiting helps, a setting or a permission has to be changed. */
  readonly code:
    | 'EXISTS'
    | 'OUTSIDE'
    | 'NOT_A_FILE'
    | 'SIZE'
    | 'UNAVAILABLE'
    | 'NO_SPACE'
    | 'TOO_LARGE'
    | 'MISCONFIGURED';
  /** Seconds after which another attempt is worth it, when the store has said so. */
  readonly retryAfter: number | undefined;

  constructor(code: StorageError['code'], message: string, options?: { cause?: unknown; retryAfter?: number }) {
    super(message, options);
    this.code = code;
    this.retryAfter = options?.retryAfter;
  }
}

/** A right that one process among all replicas has, until its time runs out or it gives it back. */
export interface Lease {
  /** Extends it by its full time; false when another has taken it over, so the work must be given up. */
  renew(): Promise<boolean>;
  release(): Promise<void>;
}

/** What the registry lends a driver that declares the need. */
/**
 * Does `work` every so many milliseconds, for the first time after as many, as the background part `name` of the process. A failure
 * of it is shown and retried; it never reaches the caller.
 */
export type Repeat = (name: string, everyMs: number, work: () => Promise<void>) => { stop(): void };

export interface DriverContext {
  /** The store's name. */
  store: string;
  /** The identity that was registered for this store by whichever replica came first. */
  registeredIdentity(): Promise<string | undefined>;
  /** Registers `identity` unless one is registered; answers the one that counts. */
  registerIdentity(identity: string): Promise<string>;
  /** Takes the lease `name` for `seconds` of database time, or answers undefined at once when somebody has it. */
  lease(name: string, seconds: number): Promise<Lease | undefined>;
  /** For what goes on beside requests. */
  repeat: Repeat;
  /** The service's database, for single statements; nothing of it is held while bytes flow. */
  executor: QueryExecutorProvider;
  /** A line in the service's log; never with a secret or a signed URL in it. */
  log(level: 'info' | 'warn' | 'error', message: string, details?: Record<string, unknown>): void;
}
