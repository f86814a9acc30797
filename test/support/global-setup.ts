import type { S3ForTests } from './s3/chosen-s3.ts';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../../src/db/embedded/embedded-postgres.ts';
import { migrate } from '../../src/db/schema/migrator.ts';
import { hashCheckoutData } from './checkout-data.ts';
import { createDataFolder } from './data-folder.ts';
import { chooseS3 } from './s3/choice.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A server's URL; `templateName` has the schema, and can only be copied. */
    postgresUrl: string;
    templateName: string;
    s3: S3ForTests;
  }
}

/**
 * One PostgreSQL for all test files: TEST_DATABASE_URL, else an embedded one in a separate folder. Each file gets a database. And
 * one S3 server.
 */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  // Unit tests need neither.
  if (project.vitest.projects.every(({ name }) => name === 'unit')) return undefined;
  const userData = hashCheckoutData();
  // Starts in seconds, in parallel with the database.
  const choosing = chooseS3(process.env);
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
  // Nobody writes to what all databases of the tests are copied from.
  await admin.query(`ALTER DATABASE ${templateName} WITH ALLOW_CONNECTIONS false`);
  project.provide('postgresUrl', server.connectionString);
  project.provide('templateName', templateName);
  process.stdout.write(`PostgreSQL for tests: ${given === undefined ? 'embedded' : 'TEST_DATABASE_URL'}\n`);
  const { s3, stop: stopS3 } = await choosing;
  project.provide('s3', s3);
  return async () => {
    await stopS3();
    await admin.query(`DROP DATABASE IF EXISTS ${templateName} WITH (FORCE)`);
    await admin.end();
    await server.stop();
    await folder.remove();
    const afterwards = hashCheckoutData();
    if (userData === undefined || afterwards === undefined)
      process.stdout.write('A service uses .data of this checkout: it was not checked that the tests leave it alone\n');
    else if (userData !== afterwards) throw new Error('A test has changed .data of this checkout');
  };
}
