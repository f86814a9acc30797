import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface RawAnswer {
  /** 0 when the connection was closed without a response. */
  status: number;
  head: string;
  body: string;
  /** Everything received, as text. */
  text: string;
}

export interface RawOptions {
  /** Milliseconds between the pieces. */
  pause?: number;
  /**
   * After the last piece: end the sending side, cut the connection, wait until the server closes it (default), or until there is
   * a whole response: the server ends a response to an unsent body late, so that its reader gets it.
   */
  then?: 'wait' | 'end' | 'cut' | 'answer';
  /** Milliseconds to wait for the connection to close. */
  patience?: number;
}

/** Sends bytes verbatim over a new connection; returns what came back until the server closed it. */
export async function sendRaw(
  address: string,
  pieces: readonly (string | Buffer)[],
  { pause = 0, then = 'wait', patience = 8000 }: RawOptions = {},
): Promise<RawAnswer> {
  const { hostname, port } = new URL(address);
  const socket = net.connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  // A server that refuses in the middle resets the connection; what it sent before counts.
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  for (const piece of pieces) {
    if (socket.destroyed) break;
    socket.write(piece);
    if (pause > 0) await Promise.race([sleep(pause), closed]);
  }
  if (then === 'cut') {
    await sleep(30);
    socket.destroy();
  }
  if (then === 'end') socket.end();
  const answered =
    then === 'answer'
      ? new Promise<void>((resolve) => {
          const look = () => isWhole(Buffer.concat(chunks)) && resolve();
          socket.on('data', look);
          look();
        })
      : closed;
  await Promise.race([closed, answered, sleep(patience, undefined, { ref: false })]);
  socket.destroy();
  const text = Buffer.concat(chunks).toString('latin1');
  const [head = '', ...rest] = text.split('\r\n\r\n');
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0), head, body: rest.join('\r\n\r\n'), text };
}

/** Whether a response with a Content-Length is complete; 100 Continue does not count. */
function isWhole(bytes: Buffer): boolean {
  const text = bytes.toString('latin1').replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '');
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return false;
  const length = /^content-length: (\d+)/im.exec(text.slice(0, end))?.[1];
  return text.startsWith('HTTP/1.1 204') || (length !== undefined && text.length - end - 4 >= Number(length));
}

/** A request's head; `connection: close` marks the end of the response. */
export function head(method: string, path: string, headers: readonly (readonly [string, string])[]): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `${method} ${path} HTTP/1.1\r\nHost: media.test\r\nConnection: close\r\n${lines}\r\n`;
}
