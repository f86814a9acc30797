import http from 'node:http';
import { asAdmin, asUser } from '../../support/test-app.ts';
import { standardHeaders } from '../../support/webhook-senders.ts';
import { damaged, writeForm } from './bodies.ts';
import type { Known } from './known.ts';
import type { CallerName, Plan } from './plans.ts';
import { Raw, escape, resolve, textOf, writeJson } from './wire.ts';

export const WEBHOOK_SECRET = 'secret-of-the-webhooks-in-urls';
const PATIENCE_MS = 60_000;
/** How long an endless response, like a stream of events, is read. */
const STREAM_MS = 150;

export interface Sent {
  method: string;
  target: string;
  headers: Record<string, string>;
  payload: Buffer;
}

export interface Answered {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

const CALLERS: Readonly<Record<CallerName, Record<string, string>>> = {
  alice: asUser('alice'),
  bob: asUser('bob'),
  admin: asAdmin(),
  reader: asUser('alice', 'media:read'),
  nobody: {},
  forged: { authorization: `${asAdmin().authorization.slice(0, -4)}AAAA` },
};

/** Fills a plan with known values. */
export function prepare(plan: Plan, known: Known): Sent {
  const { operation } = plan;
  const put = (value: unknown) =>
    resolve(value, (link) => (link.kind === 'user' ? userOf(plan.caller, link.pick) : known.value(link)));
  const path = Object.fromEntries(Object.entries(plan.path).map(([name, value]) => [name, put(value)]));
  const query = plan.query.map(([name, value]): [string, unknown] => [name, put(value)]);
  const { payload, type } = payloadOf(plan, put);
  const headers: Record<string, string> = {
    ...CALLERS[plan.caller],
    ...(type !== undefined && { 'content-type': type }),
  };
  for (const [name, value] of plan.headers) headers[name] = latin1(textOf(put(value)));
  if (/webhook$/i.test(operation.id) && operation.id !== 'releaseParkedWebhook' && plan.proven) {
    if (['replicate', 'generic'].includes(String(path['provider'])))
      Object.assign(headers, standardHeaders(payload.toString()), type !== undefined && { 'content-type': type });
    else set(query, 'secret', WEBHOOK_SECRET);
  }
  if (operation.id === 'putUploadContent' && plan.manner === 'fitting') {
    const token = known.tokenOf(String(path['id']));
    if (token !== undefined) set(query, 'token', token);
  }
  const target = `${operation.path.replace(/\{(\w+)\}/g, (_all, name: string) => segment(name, path[name]))}${queryText(query)}`;
  return { method: operation.method, target, headers, payload };
}

/** Mostly the caller. */
function userOf(caller: CallerName, pick: number): string {
  if (pick % 10 === 0) return 'bob';
  return caller === 'bob' ? 'bob' : 'alice';
}

function payloadOf({ body }: Plan, put: (value: unknown) => unknown): { payload: Buffer; type?: string } {
  if (body.form === 'none') return { payload: Buffer.alloc(0) };
  if (body.form === 'bytes') return { payload: Buffer.from(body.bytes), type: body.type };
  if (body.form === 'json') return { payload: damaged(writeJson(put(body.value)), body.damage), type: body.type };
  const fields = body.fields.map(([name, value]): [string, unknown] => [name, put(value)]);
  return { payload: writeForm({ ...body, fields }), type: body.type };
}

/** A key has several segments. */
function segment(name: string, value: unknown): string {
  if (value instanceof Raw || name !== 'key') return escape(value);
  return textOf(value).split('/').map(escape).join('/');
}

function set(query: [string, unknown][], name: string, value: string): void {
  query.splice(0, query.length, ...query.filter(([other]) => other !== name), [name, value]);
}

function queryText(query: [string, unknown][]): string {
  const pairs = query.flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((each) => `${escape(name)}=${escape(each)}`),
  );
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

/** Characters that Node's client accepts in a header. */
const latin1 = (text: string) => text.replace(/[^\t\x20-\x7e\x80-\xff]/g, '?');

const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });

export function send(address: string, { method, target, headers, payload }: Sent): Promise<Answered> {
  return new Promise((done, fail) => {
    const { hostname, port } = new URL(address);
    const request = http.request({
      hostname,
      port,
      method,
      path: target,
      agent,
      headers: { ...headers, ...(payload.length > 0 && { 'content-length': String(payload.length) }) },
    });
    const patience = setTimeout(() => request.destroy(new Error(`no answer within ${PATIENCE_MS} ms`)), PATIENCE_MS);
    let answered = false;
    const end = (response: http.IncomingMessage, chunks: Buffer[]) => {
      answered = true;
      clearTimeout(patience);
      done({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
    };
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => end(response, chunks));
      response.on('error', fail);
      if (response.headers['content-type']?.startsWith('text/event-stream'))
        setTimeout(() => {
          end(response, chunks);
          request.destroy();
        }, STREAM_MS);
    });
    request.on('error', (error) => {
      clearTimeout(patience);
      if (!answered) fail(error);
    });
    request.end(payload);
  });
}
