import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DatabaseRefused } from '../../../src/db/connections/refusal.ts';
import { failureOf } from '../../../src/db/failure.ts';
import { openDatabase } from '../../../src/db/database.ts';
import { QueuePool, openQueuePool } from '../../../src/db/queue/queue-pool.ts';
import {
  type Certificates,
  hasOpenssl,
  installCertificate,
  makeCertificates,
} from '../../support/database/certificates.ts';
import { type RestartablePostgres, startRestartablePostgres } from '../../support/database/restartable-postgres.ts';
import { startSilentProxy } from '../../support/database/silent-proxy.ts';
import { type DataFolder, createDataFolder } from '../../support/data-folder.ts';
import { runCommand } from '../../support/run-command.ts';
import { spawnService } from '../../support/service-process.ts';
import { JWT_SECRET } from '../../support/test-app.ts';
import { until } from '../../support/until.ts';

describe.skipIf(!hasOpenssl())('TLS to PostgreSQL', () => {
  let folder: DataFolder;
  let server: RestartablePostgres;
  let files: Certificates;

  /** By TCP: a socket has no TLS. */
  const url = (host: string, parameters: Record<string, string>) => {
    const address = new URL(server.connectionString);
    address.hostname = host;
    address.search = new URLSearchParams(parameters).toString();
    return address.href;
  };

  beforeAll(async () => {
    folder = await createDataFolder('tls');
    server = await startRestartablePostgres(folder.path);
    files = makeCertificates(folder.path);
    const [found] = await server.query<{ data_directory: string }>('SHOW data_directory');
    const data = found?.data_directory ?? '';
    installCertificate(files, data);
    // Over TCP only with TLS.
    await writeFile(path.join(data, 'pg_hba.conf'), 'local all all scram-sha-256\nhostssl all all all scram-sha-256\n');
    await server.query('ALTER SYSTEM SET ssl = on');
    await server.query('SELECT pg_reload_conf()');
    await until(async () => (await server.query<{ ssl: string }>('SHOW ssl'))[0]?.ssl === 'on');
  });
  afterAll(async () => {
    await server.close();
    await folder.remove();
  });

  /** Whether the connection is encrypted, or why there is none. */
  async function connected(connectionString: string): Promise<unknown> {
    const database = openDatabase({ connectionString, poolMax: 1, statementTimeoutMs: 5000 });
    try {
      const { rows } = await sql<{
        ssl: boolean;
      }>`SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()`.execute(database.db);
      return rows[0]?.ssl;
    } catch (error) {
      expect(error).toBeInstanceOf(DatabaseRefused);
      return (error as Error).message;
    } finally {
      await database.close();
    }
  }

  test('require encrypts without verifying; verify-ca verifies the chain; verify-full also the name', async () => {
    const { ca } = files;
    expect(await connected(url('127.0.0.1', { sslmode: 'require' }))).toBe(true);
    expect(await connected(url('127.0.0.1', { sslmode: 'verify-ca', sslrootcert: ca }))).toBe(true);
    expect(await connected(url('localhost', { sslmode: 'verify-full', sslrootcert: ca }))).toBe(true);
  });

  test('a refused certificate: the sentence says why and what to do', async () => {
    const { ca, otherCa } = files;
    const chain = /certificate of the database server at \S+ is refused .*sslrootcert=/;
    expect(await connected(url('localhost', { sslmode: 'verify-full' }))).toMatch(chain);
    for (const sslmode of ['require', 'verify-ca', 'verify-full'])
      expect(await connected(url('localhost', { sslmode, sslrootcert: otherCa }))).toMatch(chain);
    const name = await connected(url('127.0.0.1', { sslmode: 'verify-full', sslrootcert: ca }));
    expect(name).toMatch(/is refused .*connect by a name that it is issued for/);
  });

  test('a server that insists on TLS, a wrong password and a missing database are told in a sentence', async () => {
    expect(await connected(url('127.0.0.1', {}))).toMatch(/refuses connections without TLS .*add sslmode=require/);
    const wrong = new URL(url('127.0.0.1', { sslmode: 'require' }));
    wrong.pathname = '/nowhere';
    expect(await connected(wrong.href)).toMatch(/no such database .*"nowhere"/);
    wrong.password = 'not-this-one';
    const refused = await connected(wrong.href);
    expect(refused).toMatch(/refuses the user or password/);
    expect(refused).not.toContain('not-this-one');
  });

  test('the pool, the task queue, the migrator and commands all connect with TLS', { timeout: 120_000 }, async () => {
    const address = url('localhost', { sslmode: 'verify-full', sslrootcert: files.ca });
    const migrated = await runCommand(['migrate'], { DATABASE_URL: address });
    expect(migrated).toMatchObject({ code: 0, stdout: expect.stringContaining('applied') });
    expect(await runCommand(['verify'], { DATABASE_URL: address })).toMatchObject({ code: 0 });
    for (const pool of [new QueuePool(address, 1, () => {}), openQueuePool(address, 1, () => {})]) {
      const { rows } = await pool.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
      expect(rows).toEqual([{ ssl: true }]);
      await pool.end();
    }
  });

  test('commands and the service end with the sentence, without a stack', { timeout: 120_000 }, async () => {
    const address = url('localhost', { sslmode: 'verify-full', sslrootcert: files.otherCa });
    const sentence = /DATABASE_URL: the certificate of the database server at localhost:\d+ is refused/;
    for (const command of [['migrate'], ['verify'], ['rollups']]) {
      const { code, stderr } = await runCommand(command, { DATABASE_URL: address });
      expect(stderr).toMatch(sentence);
      expect(stderr).not.toContain('    at ');
      expect(code).toBe(2);
    }
    const doctor = await runCommand(['doctor'], { DATABASE_URL: address, JWT_SECRET });
    expect(doctor.stdout).toMatch(sentence);
    const service = spawnService({ env: { DATABASE_URL: address, JWT_SECRET, DATA_DIR: folder.path, PORT: '0' } });
    expect(await service.ended).toBe(1);
    expect(service.output()).toMatch(sentence);
    expect(service.output()).not.toContain('    at ');
  });

  test('an encrypted connection that goes silent is given up like any other', async () => {
    const proxy = await startSilentProxy(url('127.0.0.1', { sslmode: 'require' }));
    const database = openDatabase({
      connectionString: proxy.connectionString,
      poolMax: 1,
      statementTimeoutMs: 20_000,
    });
    const lost = sql`SELECT pg_sleep(1)`.execute(database.db).catch((error: unknown) => failureOf(error));
    await sleep(500);
    const began = performance.now();
    proxy.silence('open');
    expect(await lost).toBe('gone');
    expect(performance.now() - began).toBeLessThan(10_000);
    await sql`SELECT 1`.execute(database.db);
    await database.close();
    await proxy.close();
  });

  test('a server without TLS: the sentence says how to go on', async () => {
    await server.query('ALTER SYSTEM SET ssl = off');
    await server.query('SELECT pg_reload_conf()');
    await until(async () => (await server.query<{ ssl: string }>('SHOW ssl'))[0]?.ssl === 'off');
    expect(await connected(url('127.0.0.1', { sslmode: 'require' }))).toMatch(/offers no TLS.*sslmode=disable/);
  });
});
