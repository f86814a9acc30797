import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import multipart from '@fastify/multipart';
import fastifyStatic from '@fastify/static';
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import pg from 'pg';

// The reference server: the least that a server can do with the same durability. Multipart into a temporary file that is hashed
// on the way, fsync, rename, fsync of the folder, one INSERT; static files; one SELECT of whole rows.
//   DATABASE_URL=… node bench/reference.ts PORT FOLDER

const TABLE = `
  create table if not exists item (
    id bigserial primary key, request_id text, user_id text not null, username text,
    tool_name text not null default 'bench', prompt text not null default '', model text, size text, quality text,
    style text, n int default 1, storage_url text not null, storage_provider text default 'local', mime_type text,
    bytes bigint, sha256 char(64), tags text[], status text not null default 'success', error text, metadata jsonb,
    message_id text, created_at timestamptz not null default now());
  create index on item (user_id, created_at desc);
  create index on item (request_id);
  create index on item (storage_url);
  create index on item using gin (metadata);
  create index on item using gin (tags);`;
const LIMIT = 2 ** 31;

const [port = '', folder = ''] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 10 });
await pool.query(TABLE);
await mkdir(folder, { recursive: true });
const directory = await open(folder);
const app = fastify({ bodyLimit: LIMIT });
await app.register(multipart, { limits: { fileSize: LIMIT } });
await app.register(fastifyStatic, { root: folder, prefix: '/file/' });

const upload = async (request: FastifyRequest) => {
  const part = await request.file();
  if (!part) throw new Error('no file');
  const hash = createHash('sha256');
  let bytes = 0;
  const watch = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  const name = `${randomUUID()}.png`;
  const temporary = path.join(folder, `.${name}`);
  await pipeline(part.file, watch, createWriteStream(temporary, { flush: true }));
  await rename(temporary, path.join(folder, name));
  await directory.sync();
  const { rows } = await pool.query<{ id: string }>({
    name: 'put',
    text: 'insert into item (user_id, storage_url, mime_type, sha256, bytes) values ($1, $2, $3, $4, $5) returning id',
    values: ['bench', name, 'image/png', hash.digest('hex'), bytes],
  });
  return { id: rows[0]?.id, name };
};

const row = async (request: FastifyRequest) => {
  const { id } = request.params as { id: string };
  return (await pool.query<object>({ name: 'one', text: 'select * from item where id = $1', values: [id] })).rows[0];
};

const list = async () => {
  const text = 'select * from item where user_id = $1 order by created_at desc limit 100';
  return (await pool.query<object>({ name: 'list', text, values: ['bench'] })).rows;
};

const file = (request: FastifyRequest, reply: FastifyReply) =>
  reply.sendFile((request.params as { name: string }).name);

// The plugin's own route lists the whole folder for every request, to compare capitals; this one does not.
app.route({ method: 'GET', url: '/named/:name', handler: file });
app.route({ method: 'POST', url: '/up', handler: upload });
app.route({ method: 'GET', url: '/row/:id', handler: row });
app.route({ method: 'GET', url: '/list', handler: list });
await app.listen({ port: Number(port), host: '127.0.0.1' });
process.on('SIGINT', () => {});
process.on('SIGTERM', async () => {
  await app.close();
  await directory.close();
  await pool.end();
});
