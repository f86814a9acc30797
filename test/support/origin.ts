import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { png } from './sample-files.ts';

/** A host that serves pictures below /ok (each path another one), 503 while it is `down`, and 404 elsewhere. */
export interface Origin {
  url: string;
  down: boolean;
  /** Paths below /late exist only while this is set. */
  late: boolean;
  /** Requested paths, in order. */
  asked: string[];
  close(): void;
}

export async function startOrigin(): Promise<Origin> {
  const state: Origin = { url: '', down: false, late: false, asked: [], close: () => server.close() };
  const server: Server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? '';
    state.asked.push(path);
    if (state.down) return void response.writeHead(503).end();
    if (!/^\/(ok|late)\//.test(path) || (path.startsWith('/late/') && !state.late))
      return void response.writeHead(404).end();
    const salt = [...path.replace(/\?.*$/, '')].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 65_000, 7);
    response.writeHead(200, { 'content-type': 'image/png' }).end(png(6, 5, salt));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return state;
}
