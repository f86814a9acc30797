import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { png } from '../support/sample-files.ts';
import { CHECKOUT } from '../support/service-process.ts';
import { type TestApp, asUser, createTestApp } from '../support/test-app.ts';

// Clients that other generators make of openapi.yaml: they compile under strict TypeScript, and do what they say.

const run = promisify(execFile);
const OPENAPI = path.join(CHECKOUT, 'openapi.yaml');

/** What a scenario of a client reports. */
interface Seen {
  form: string | undefined;
  bytes: string | undefined;
  json: string | undefined;
  found: (string | undefined)[];
  url: string | undefined;
  missing: string | undefined;
}
type Scenario = (base: string, authorization: string, file: Blob) => Promise<Seen>;

const ORVAL_SCENARIO = `
import * as api from './client';

export async function scenario(_base: string, authorization: string, file: Blob) {
  const as = { headers: { authorization } };
  const form = await api.createMediaForm({ prompt: 'orval form', file }, as);
  const bytes = await api.createMediaBytes(file, { prompt: 'orval bytes' }, as);
  const source = { type: 'base64', data: Buffer.from(await file.arrayBuffer()).toString('base64') } as const;
  const json = await api.createMediaWithJson({ prompt: 'orval json', source }, undefined, as);
  if (form.status !== 201 || bytes.status !== 201 || json.status !== 201) throw new Error(JSON.stringify([form, bytes, json]));
  const page = await api.searchMedia({ q: 'orval' }, as);
  const signed = await api.createSignedUrl(bytes.data.id, { expiresIn: 60 }, as);
  const missing = await api.getMedia('999999999', as);
  return {
    form: form.data.prompt ?? undefined,
    bytes: bytes.data.prompt ?? undefined,
    json: json.data.prompt ?? undefined,
    found: page.status === 200 ? page.data.items.map(({ prompt }) => prompt ?? undefined) : [],
    url: signed.status === 200 ? signed.data.url : undefined,
    missing: missing.status === 200 ? undefined : missing.data.code,
  };
}
`;

const HEY_API_SCENARIO = `
import * as api from './index';
import { client } from './client.gen';

export async function scenario(baseUrl: string, authorization: string, file: Blob) {
  client.setConfig({ baseUrl, headers: { authorization } });
  const form = await api.createMediaForm({ body: { prompt: 'hey-api form', file } });
  const bytes = await api.createMediaBytes({ body: file, query: { prompt: 'hey-api bytes' } });
  const source = { type: 'base64', data: Buffer.from(await file.arrayBuffer()).toString('base64') } as const;
  const json = await api.createMedia({ body: { prompt: 'hey-api json', source } });
  const page = await api.searchMedia({ query: { q: 'hey-api' } });
  const signed = await api.createSignedUrl({ path: { id: bytes.data?.id ?? '' }, body: { expiresIn: 60 } });
  const missing = await api.getMedia({ path: { id: '999999999' } });
  return {
    form: form.data?.prompt ?? undefined,
    bytes: bytes.data?.prompt ?? undefined,
    json: json.data?.prompt ?? undefined,
    found: page.data?.items.map(({ prompt }) => prompt ?? undefined) ?? [],
    url: signed.data?.url,
    missing: missing.error?.code,
  };
}
`;

let t: TestApp;
let base: string;
let folder: string;
beforeAll(async () => {
  t = await createTestApp({ PUBLIC_BASE_URL: '' });
  base = await t.listen();
  folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-clients-'));
  await symlink(path.join(CHECKOUT, 'node_modules'), path.join(folder, 'node_modules'));
  await writeFile(path.join(folder, 'package.json'), '{"type":"module"}');
  await writeFile(
    path.join(folder, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        strict: true,
        noUncheckedIndexedAccess: true,
        target: 'es2022',
        module: 'esnext',
        moduleResolution: 'bundler',
        lib: ['es2023', 'dom', 'dom.iterable'],
        types: ['node'],
        skipLibCheck: true,
        noEmit: true,
      },
      include: ['orval', 'hey-api'],
    }),
  );
});
afterAll(async () => {
  await t.close();
  await rm(folder, { recursive: true, force: true });
});

const bin = (name: string) => path.join(CHECKOUT, 'tools/api-types/node_modules/.bin', name);
const env = { PATH: `${path.dirname(process.execPath)}:${process.env['PATH'] ?? ''}` };

/** Compiles the clients with the compiler that they are made for, and runs a scenario. */
async function useClient(name: string, scenario: string): Promise<Seen> {
  await writeFile(path.join(folder, name, 'scenario.ts'), scenario);
  const compiler = path.join(CHECKOUT, 'tools/api-types/node_modules/typescript/bin/tsc');
  await run(process.execPath, [compiler, '-p', folder]).catch((error: { stdout: string }) => {
    throw new Error(error.stdout.slice(0, 2000));
  });
  const module = (await import(/* @vite-ignore */ path.join(folder, name, 'scenario.ts'))) as { scenario: Scenario };
  return module.scenario(
    base,
    asUser(name).authorization,
    new Blob([new Uint8Array(png(3, 3))], { type: 'image/png' }),
  );
}

async function expectWorks(name: string, seen: Seen): Promise<void> {
  expect(seen).toMatchObject({
    form: `${name} form`,
    bytes: `${name} bytes`,
    json: `${name} json`,
    missing: 'not_found',
  });
  expect(new Set(seen.found)).toEqual(new Set([`${name} bytes`, `${name} form`, `${name} json`]));
  const { pathname, search } = new URL(seen.url ?? '');
  const answer = await fetch(`${base}${pathname}${search}`);
  expect(Buffer.from(await answer.arrayBuffer()).equals(png(3, 3))).toBe(true);
}

test('a client by orval compiles and works', async () => {
  const config = `export default { mediakeep: { input: ${JSON.stringify(OPENAPI)}, output: { target: './orval/client.ts', client: 'fetch',
    baseUrl: ${JSON.stringify(base)}, override: { splitByContentType: true } } } };`;
  await writeFile(path.join(folder, 'orval.config.mjs'), config);
  await run(bin('orval'), ['--config', 'orval.config.mjs'], { cwd: folder, env });
  await expectWorks('orval', await useClient('orval', ORVAL_SCENARIO));
});

test('a client by hey-api compiles and works', async () => {
  const plugins = ['@hey-api/client-fetch', '@hey-api/sdk', '@hey-api/typescript'].flatMap((plugin) => ['-p', plugin]);
  await run(bin('openapi-ts'), ['-i', OPENAPI, '-o', './hey-api', ...plugins], { cwd: folder, env });
  await expectWorks('hey-api', await useClient('hey-api', HEY_API_SCENARIO));
});
