import { createHash } from 'node:crypto';
import { openDatabase } from '../../../src/db/database.ts';
import { createGithubDriver } from '../../../src/storage/github/github-driver.ts';
import { createDriverContext } from '../storage/driver-context.ts';
import { githubOptions } from './github-store.ts';

// A separate process that stores `count` small files in a repository, many at once, and prints their keys and digests.
export interface WriterOrder {
  apiUrl: string;
  rawUrl: string;
  connectionString: string;
  name: string;
  count: number;
}

const order = JSON.parse(process.argv[2] ?? '{}') as WriterOrder;
const { db, close } = openDatabase({
  connectionString: order.connectionString,
  poolMax: 3,
  statementTimeoutMs: 10_000,
});
const driver = await createGithubDriver(
  githubOptions(order, { batchWindowMs: 300 }),
  createDriverContext('github', db),
);
const stored: Record<string, string> = {};
let next = 0;
async function writer(): Promise<void> {
  while (next < order.count) {
    const number = (next += 1);
    const bytes = createHash('sha512').update(`${order.name} ${number}`).digest();
    const key = `outputs/${order.name}/image-${number}.png`;
    await driver.put(
      key,
      (async function* () {
        yield bytes;
      })(),
      { contentType: 'image/png', size: bytes.length },
    );
    stored[key] = createHash('sha256').update(bytes).digest('hex');
  }
}
await Promise.all(Array.from({ length: 100 }, writer));
await driver.close?.();
await close();
process.stdout.write(JSON.stringify(stored));
