/** What the load process is told to do, and what it answers; both go through the channel between the two processes. */

export type Size = '10 KB' | '100 KB' | '1 MB' | '50 MB';
export const BYTES: Record<Size, number> = { '10 KB': 1e4, '100 KB': 1e5, '1 MB': 1e6, '50 MB': 5e7 };

/** One file that a server should deliver. */
export interface Target {
  path: string;
  bytes: number;
  sha256: string;
}

export type Work =
  /** Sends made files, each different from all before. */
  | { kind: 'upload'; path: string; form: 'multipart' | 'raw'; size: Size; keep?: boolean }
  /** Fetches the targets in turn, each once before any comes again; `digest`: compares the SHA-256 too. */
  | { kind: 'get'; targets: readonly Target[]; digest?: boolean }
  /** Reads or sends JSON; an answer with fewer bytes than `leastBytes` is an error. */
  | { kind: 'json'; paths: readonly string[]; body?: string; leastBytes: number; keep?: boolean }
  /** One upload of a file that is made as it is sent; by URL the load process serves it. The answer is kept. */
  | { kind: 'huge'; form: 'multipart' | 'raw' | 'url'; bytes: number; path: string }
  /** So many connections at once, each reading a target or writing a file of `seconds` × 4 × `bytesPerTick`, a tick being 250 ms. */
  | {
      kind: 'slow';
      readers: number;
      writers: number;
      targets: readonly Target[];
      path: string;
      seconds: number;
      bytesPerTick: number;
    }
  /** Signs so many URLs a time with the SDK in the load process itself; no server has a part in it. */
  | { kind: 'presign'; bucket: string; keys: readonly string[] };

export interface Job {
  work: Work;
  /** Connection i goes to origin i modulo their number. */
  origins: readonly string[];
  concurrency: number;
  /** Ends with whichever comes first; what has begun is carried through. */
  maxRequests: number;
  maxSeconds: number;
  token: string;
}

/** An answer to an upload or a JSON request, when they were to be kept. */
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
  /** What went wrong, and how often. */
  errors: Record<string, number>;
  kept: Kept[];
}
