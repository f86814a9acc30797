import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../../src/db/embedded-postgres.ts';
import { migrate } from '../../src/db/migrator.ts';
import { createDataFolder } from './data-folder.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A server's URL; its database `template` has the schema. */
    postgresUrl: string;
    templateName: string;
  }
}

/** One PostgreSQL for all test files: TEST_DATABASE_URL, else the embedded one in a folder of its own. Each file gets a database. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['TEST_DATABASE_URL'];
  const folder = await createDataFolder('test');
  const server =
    given === undefined
      ? await startEmbeddedPostgres({ dataDir: folder.path, durable: false })
      : { connectionString: given, stop: async () => {} };
  const templateName = `mediakeep_template_${process.pid}`;
  const admin = new pg.Client({ connectionString: server.connectionString });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${templateName}`);
  const url = new URL(server.connectionString);
  url.pathname = `/${templateName}`;
  await migrate(url.href);
  project.provide('postgresUrl', server.connectionString);
  project.provide('templateName', templateName);
  process.stdout.write(`PostgreSQL for tests: ${given === undefined ? 'embedded' : 'TEST_DATABASE_URL'}\n`);
  return async () => {
    await admin.query(`DROP DATABASE IF EXISTS ${templateName} WITH (FORCE)`);
    await admin.end();
    await server.stop();
    await folder.remove();
  };
}
