import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { openDatabase } from '../src/db/database.ts';
import { migrate } from '../src/db/schema/migrator.ts';
import { searchColumns } from '../src/domain/items/search-columns.ts';
import { splitAgain } from '../src/domain/search/split-again.ts';
import { openBenchServer } from './bench-server.ts';
import { markdown } from './report.ts';
import { seedRows } from './seed-rows.ts';
import type { Stage } from './stage.ts';
import type { Section } from './suite.ts';

// What searches by text cost: time to split an item's texts, size of the columns and indexes, and the migration of a table that has rows.
//   npm run bench -- words, or: node bench/words.ts [--rows 1000000]
// Reuses the database of `node bench/growth.ts --keep`, and leaves it as it was. Prints Markdown.

const log = { info: () => {}, warn: () => {}, error: () => {} };

export async function wordsSuite(stage: Stage): Promise<Section> {
  return {
    title: 'Words',
    about:
      'What searches by text cost in a table of a million rows, a tenth of them in scripts without spaces; each number once.',
    text: await measureWords(1_000_000, stage.log),
  };
}

/** Returns Markdown: one table. */
async function measureWords(rows: number, onProgress: (message: string) => void): Promise<string> {
  const server = await openBenchServer();
  const name = `rows_${rows}`;
  try {
    const address = (await server.findDatabase(name)) ?? (await server.createDatabase(name));
    const client = new pg.Client({ connectionString: address });
    await client.connect();
    const lines: [string, string][] = [];
    const value = async (sql: string) =>
      Object.values((await client.query<Record<string, string>>(sql)).rows[0] ?? {})[0] ?? '';
    const timed = async (work: () => Promise<unknown>) => {
      const started = performance.now();
      await work();
      return (performance.now() - started) / 1000;
    };
    try {
      if ((await value(`SELECT to_regclass('generated_images')`)) === '') await seedRows(address, { rows, onProgress });
      lines.push(['splitting the texts of an item, milliseconds', await splittingTime(client)]);
      onProgress('sizes');
      lines.push(
        ['table with words', await value(`SELECT pg_size_pretty(pg_table_size('generated_images'))`)],
        [
          'of it the words',
          await value(`SELECT pg_size_pretty(sum(pg_column_size(search_words))) FROM generated_images`),
        ],
        ['index of words', await value(`SELECT pg_size_pretty(pg_relation_size('generated_images_words'))`)],
      );
      onProgress('the index that it replaced');
      await client.query(`CREATE INDEX words_before ON generated_images USING GIN (to_tsvector('simple', prompt))`);
      lines.push([
        'an index of to_tsvector(prompt)',
        await value(`SELECT pg_size_pretty(pg_relation_size('words_before'))`),
      ]);
      await client.query('DROP INDEX words_before');
      onProgress('a table as it was before');
      await client.query(BEFORE);
      lines.push(['migration 0003, seconds', (await timed(() => migrate(address))).toFixed(1)]);
      onProgress('splitting all rows');
      const database = openDatabase({ connectionString: address, poolMax: 2, statementTimeoutMs: 0 });
      const seconds = await timed(() => splitAgain({ db: database.db, log: log as never }));
      await database.close();
      lines.push([
        'splitting the rows that were there, in the background',
        `${seconds.toFixed(0)} s, ${(rows / seconds).toFixed(0)} rows/s`,
      ]);
      await client.query('VACUUM ANALYZE generated_images');
    } finally {
      await client.end();
    }
    return markdown([[`${rows.toLocaleString('en-US')} rows`, ''], ...lines]);
  } finally {
    await server.close();
  }
}

/** What migration 0003 adds to the table is taken away, and the index that it removes is made. */
const BEFORE = `
  ALTER TABLE generated_images DROP COLUMN search_words, DROP COLUMN search_version, DROP COLUMN revision;
  DROP INDEX IF EXISTS generated_images_by_bytes, generated_images_by_generation, generated_images_bin, generated_images_of_digest;
  DROP TABLE tasks;
  DELETE FROM kysely_migration WHERE name LIKE '0003%'`;

const SAMPLE = 5000;

async function splittingTime(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{
    prompt: string;
    model: string;
    tool_name: string;
    filename: string;
    tags: string[];
  }>(`SELECT prompt, model, tool_name, filename, tags FROM generated_images ORDER BY id LIMIT ${SAMPLE}`);
  const items = rows.map(({ tool_name: toolName, ...row }) => ({ ...row, toolName, generation: undefined }));
  const round = () => {
    const started = performance.now();
    for (const item of items) searchColumns(item);
    return (performance.now() - started) / items.length;
  };
  return Math.min(round(), round(), round(), round()).toFixed(3);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({ options: { rows: { type: 'string', default: '1000000' } } });
  const text = await measureWords(Number(values.rows), (message) => void process.stderr.write(`${message}\n`));
  process.stdout.write(`${text}\n`);
}
