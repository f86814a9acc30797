import { type Hash, createHash } from 'node:crypto';
import type { Client, Dispatcher } from 'undici';

export interface Plan {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT';
  path: string;
  headers: Record<string, string>;
  body?: Buffer | string;
  /** Keep the response's body. */
  keep?: boolean;
  /** Compute the response's SHA-256. */
  digest?: boolean;
}

export interface Answer {
  status: number;
  bytes: number;
  body: string;
  sha256: string;
}

/** Sends one request; counts the response's bytes, and keeps them only if the plan says so. */
export function exchange(client: Client, { method, path, headers, body, keep, digest }: Plan): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let status = 0;
    let bytes = 0;
    const chunks: Buffer[] = [];
    const hash: Hash | undefined = digest ? createHash('sha256') : undefined;
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart() {},
      onResponseStart(_controller, code) {
        status = code;
      },
      onResponseData(_controller, chunk) {
        bytes += chunk.length;
        hash?.update(chunk);
        if (keep || status >= 400) chunks.push(Buffer.from(chunk));
      },
      onResponseEnd() {
        resolve({ status, bytes, body: Buffer.concat(chunks).toString(), sha256: hash?.digest('hex') ?? '' });
      },
      onResponseError(_controller, error) {
        reject(error);
      },
    };
    client.dispatch({ method, path, headers, body: body ?? null }, handler);
  });
}

/** The text of a failed response, without the request's id, so that equal faults have equal texts. */
export function problemOf(status: number, body: string): string {
  try {
    const { code, detail } = JSON.parse(body) as { code?: string; detail?: string };
    if (code !== undefined) return `${status} ${code}: ${detail}`;
  } catch {
    // Not every server answers in JSON.
  }
  return `${status} ${body.slice(0, 200)}`;
}
