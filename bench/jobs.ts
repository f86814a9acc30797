/** Jobs of the load process and their outcomes; both are sent over the channel between the two processes. */

export type Size = '10 KB' | '100 KB' | '1 MB' | '50 MB';
export const BYTES: Record<Size, number> = { '10 KB': 1e4, '100 KB': 1e5, '1 MB': 1e6, '50 MB': 5e7 };

/** A file that a server delivers. */
export interface Target {
  path: string;
  bytes: number;
  sha256: string;
}

export type Work =
  /** Uploads generated files, each different from all before. */
  | { kind: 'upload'; path: string; form: 'multipart' | 'raw'; size: Size; keep?: boolean }
  /** Writes generated files to the paths in turn, which are presigned. */
  | { kind: 'put'; paths: readonly string[]; size: Size }
  /** Reads the paths in turn, which need no token. */
  | { kind: 'open'; method: 'GET' | 'HEAD'; paths: readonly string[]; leastBytes: number }
  /** Fetches the targets in turn, each once before any is repeated; `digest`: also checks the SHA-256. */
  | { kind: 'get'; targets: readonly Target[]; digest?: boolean }
  /** Reads or sends JSON; a response with fewer bytes than `leastBytes` is an error. */
  | { kind: 'json'; paths: readonly string[]; body?: string; leastBytes: number; keep?: boolean }
  /** One upload of a file that is generated while it is sent; with `url` the load process serves it. The response is kept. */
  | { kind: 'huge'; form: 'multipart' | 'raw' | 'url'; bytes: number; path: string }
  /** So many concurrent connections, each reading a target or writing a file of `seconds` × 4 × `bytesPerTick`, a tick being 250 ms. */
  | {
      kind: 'slow';
      readers: number;
      writers: number;
      targets: readonly Target[];
      path: string;
      seconds: number;
      bytesPerTick: number;
    }
  /** Signs so many URLs at a time with the SDK in the load process itself, without a server. */
  | { kind: 'presign'; bucket: string; keys: readonly string[] };

export interface Job {
  work: Work;
  /** Connection i goes to origin i modulo their number. */
  origins: readonly string[];
  concurrency: number;
  /** Ends with whichever comes first; running requests are completed. */
  maxRequests: number;
  maxSeconds: number;
  token: string;
}

/** The response to an upload or a JSON request, if requested. */
export interface Kept {
  body: string;
  bytes: number;
  sha256: string;
}

export interface Outcome {
  requests: number;
  /** Bytes of the bodies that were sent or received. */
  bytes: number;
  seconds: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  /** Errors and their number. */
  errors: Record<string, number>;
  kept: Kept[];
}
