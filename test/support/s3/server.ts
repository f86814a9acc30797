import { createHash } from 'node:crypto';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { MemoryBucket } from './buckets.ts';
import { type CorsAnswer, corsHeaders } from './cors.ts';
import { S3Failure } from './failure.ts';
import { type S3Answer, type S3Operation, type S3Request, operationOf, perform } from './operations.ts';
import { type S3Keys, verifySignature } from './signature.ts';

/** A fault of one request. */
export type Fault =
  /** Responds with that, having done nothing. */
  | { kind: 'refuse'; status: number; code: string; headers?: Record<string, string> }
  /** Returns 200 with an error in its body, having done nothing. */
  | { kind: 'error-in-200' }
  /** Reads no body and does not respond. */
  | { kind: 'hang-up' }
  /** Carries out the request, and does not respond. */
  | { kind: 'hang-after' }
  /** Sends half of the body, then nothing. */
  | { kind: 'hang-down' }
  /** Cuts the connection: before anything was done, after all of it, or in the middle of the response's body. */
  | { kind: 'reset-before' }
  | { kind: 'reset-after' }
  | { kind: 'reset-down' }
  /** Stores the body, and acknowledges another. */
  | { kind: 'wrong-etag' }
  /** Stores half of the body. */
  | { kind: 'store-half' }
  /** Continues after the test's own work. */
  | { kind: 'meanwhile'; work: () => void | Promise<void> };

export interface S3Server {
  endpoint: string;
  port: number;
  buckets: Map<string, MemoryBucket>;
  /** Operations requested with a valid signature, in order. */
  asked: S3Operation[];
  /** The next `times` requests for `operation` fail this way. */
  break(operation: S3Operation, fault: Fault, times?: number): void;
  /** Stops listening and cuts all connections. */
  stop(): Promise<void>;
  /** Listens again on the same port, with everything that was stored. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export interface S3ServerOptions {
  keys?: readonly S3Keys[];
  region?: string;
  /** Host whose subdomains are buckets. */
  domain?: string;
  /** Operations refused with AccessDenied. */
  denied?: readonly S3Operation[];
}

export const TEST_KEYS: S3Keys = { accessKeyId: 'test', secretAccessKey: 'test-secret' };

/**
 * An in-memory S3 server that is strict: every signature, digest, condition and part size is checked. It can fail in every way
 * that real ones do.
 */
export async function startS3Server(options: S3ServerOptions = {}): Promise<S3Server> {
  const { keys = [TEST_KEYS], region = 'us-east-1', domain = 's3.test', denied = [] } = options;
  const buckets = new Map<string, MemoryBucket>();
  const asked: S3Operation[] = [];
  const faults: { operation: S3Operation; fault: Fault; left: number }[] = [];
  const takeFault = (operation: S3Operation): Fault | undefined => {
    const entry = faults.find((each) => each.operation === operation && each.left > 0);
    if (entry) entry.left -= 1;
    return entry?.fault;
  };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { bucket, key, query } = addressOf(request, domain);
    const cors = corsHeaders(buckets.get(bucket)?.cors ?? [], request);
    if (request.method === 'OPTIONS') return preflight(response, cors);
    try {
      const digest = verifySignature(
        { method: request.method ?? '', url: request.url ?? '', headers: request.headers },
        keys,
        region,
      );
      const operation = operationOf(request.method ?? '', key, query);
      asked.push(operation);
      const fault = takeFault(operation);
      if (fault?.kind === 'hang-up') return;
      if (fault?.kind === 'reset-before') return void request.socket.destroy();
      const body = await readBody(request);
      if (digest !== undefined && digest !== createHash('sha256').update(body).digest('hex'))
        throw new S3Failure(400, 'XAmzContentSHA256Mismatch');
      if (denied.includes(operation)) throw new S3Failure(403, 'AccessDenied');
      if (fault?.kind === 'refuse') {
        for (const [name, value] of Object.entries(fault.headers ?? {})) response.setHeader(name, value);
        throw new S3Failure(fault.status, fault.code);
      }
      const signed: S3Request = { operation, bucket, key, query, headers: request.headers, body };
      await answerWith(response, signed, fault, cors.headers);
    } catch (error) {
      if (!(error instanceof S3Failure)) throw error;
      const text = request.method === 'HEAD' ? '' : error.xml();
      response.writeHead(error.status, { 'content-type': 'application/xml', ...cors.headers }).end(text);
      request.resume();
    }
  }

  async function answerWith(
    response: ServerResponse,
    request: S3Request,
    fault: Fault | undefined,
    cors: Record<string, string>,
  ) {
    if (fault?.kind === 'error-in-200')
      return void response
        .writeHead(200, { 'content-type': 'application/xml' })
        .end(new S3Failure(200, 'InternalError').xml());
    if (fault?.kind === 'meanwhile') await fault.work();
    const half = fault?.kind === 'store-half';
    const answer = perform(
      buckets,
      half
        ? {
            ...request,
            headers: { ...request.headers, 'content-md5': undefined },
            body: request.body.subarray(0, request.body.length / 2),
          }
        : request,
    );
    // Only the bytes are wrong.
    if (half) answer.headers['etag'] = `"${createHash('md5').update(request.body).digest('hex')}-x"`;
    if (fault?.kind === 'hang-after') return;
    if (fault?.kind === 'reset-after') return void response.socket?.destroy();
    if (fault?.kind === 'wrong-etag') answer.headers['etag'] = `"${'0'.repeat(32)}"`;
    send(response, request, answer, fault, cors);
  }

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (!response.destroyed) response.destroy(error instanceof Error ? error : undefined);
    });
  });
  await listen(server, 0);
  const { port } = server.address() as AddressInfo;
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return {
    endpoint: `http://127.0.0.1:${port}`,
    port,
    buckets,
    asked,
    break: (operation, fault, times = 1) => void faults.push({ operation, fault, left: times }),
    stop,
    restart: () => listen(server, port),
    close: stop,
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function addressOf(request: IncomingMessage, domain: string): { bucket: string; key: string; query: URLSearchParams } {
  const [path = '', search = ''] = (request.url ?? '').split('?');
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  const names = path.slice(1).split('/').map(decodeURIComponent);
  const bucket = host.endsWith(`.${domain}`) ? host.slice(0, -domain.length - 1) : (names.shift() ?? '');
  return { bucket, key: names.join('/'), query: new URLSearchParams(search) };
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function preflight(response: ServerResponse, cors: CorsAnswer): void {
  response.writeHead(cors.allowed ? 200 : 403, cors.headers).end();
}

function send(
  response: ServerResponse,
  { operation }: S3Request,
  answer: S3Answer,
  fault: Fault | undefined,
  cors: Record<string, string>,
): void {
  response.writeHead(answer.status, { ...answer.headers, ...cors, 'content-length': answer.body.length });
  if (operation === 'HeadObject') return void response.end();
  if (fault?.kind !== 'hang-down' && fault?.kind !== 'reset-down') return void response.end(answer.body);
  response.write(answer.body.subarray(0, answer.body.length / 2), () => {
    if (fault.kind === 'reset-down') response.socket?.destroy();
  });
}
