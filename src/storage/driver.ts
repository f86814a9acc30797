import type { Readable } from 'node:stream';

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
  signal?: AbortSignal | undefined;
}

export interface GetResult {
  stream: Readable;
  /** Bytes that the stream will give. */
  bytes: number;
  /** Bytes of the whole object. */
  totalBytes: number;
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
  put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions): Promise<PutResult>;
  get(key: string, options?: GetOptions): Promise<GetResult | undefined>;
  stat(key: string): Promise<ObjectStat | undefined>;
  /** Also removes whatever an interrupted `put` of that key has left. */
  delete(key: string): Promise<void>;
  list(prefix: string, cursor?: string): Promise<ListPage>;
  /** Throws with the reason when the store cannot take or give anything just now. */
  healthy(): Promise<void>;
  close?(): Promise<void>;
}

/** A failure that the driver can name; anything else is told by its system code. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly code: 'EXISTS' | 'OUTSIDE' | 'NOT_A_FILE' | 'SIZE' | 'UNAVAILABLE' | 'NO_SPACE' | 'TOO_LARGE';

  constructor(code: StorageError['code'], message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** What the registry lends a driver that declares the need. */
export interface DriverContext {
  /** The store's name. */
  store: string;
  /** The identity that was registered for this store by whichever replica came first. */
  registeredIdentity(): Promise<string | undefined>;
  /** Registers `identity` unless one is registered; answers the one that counts. */
  registerIdentity(identity: string): Promise<string>;
}
