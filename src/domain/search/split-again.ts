import { setImmediate as nextTurn } from 'node:timers/promises';
import { countUnsplitItems, readUnsplitItems, writeWords } from '../../db/search/unsplit-items.ts';
import { takeLease } from '../../db/leases.ts';
import type { Deps } from '../deps.ts';
import { searchColumns } from '../items/search-columns.ts';
import { WORDS_VERSION } from '../words/split.ts';

const BATCH = 200;
const LEASE_S = 60;
const TELL_MS = 30_000;

/**
 * Splits the texts of rows whose words are missing or were split in an older way: rows of earlier versions, and of writers that use
 * SQL. Takes a batch at a time, goes on where it was stopped, and leaves rows alone that are changed meanwhile: they come again.
 * One process does it at a time.
 */
export async function splitAgain(
  { db, log }: Pick<Deps, 'db' | 'log'>,
  signal?: AbortSignal,
  progress: () => void = () => {},
): Promise<number> {
  let rows = await readUnsplitItems(db, { version: WORDS_VERSION, after: '0', limit: BATCH });
  if (rows.length === 0) return 0;
  const lease = await takeLease(db, 'search-words', LEASE_S);
  if (!lease) return 0;
  let done = 0;
  let told = 0;
  try {
    while (rows.length > 0 && signal?.aborted !== true) {
      if (performance.now() - told > TELL_MS) {
        told = performance.now();
        const left = await countUnsplitItems(db, WORDS_VERSION);
        if (left > BATCH)
          log.info({ done, left }, `searches by text do not find ${left} items yet: their words are being split`);
        if (!(await lease.renew())) break;
      }
      const split = [];
      for (const { id, written_by, tool_name, ...row } of rows) {
        const fields = {
          prompt: row.prompt,
          model: row.model ?? undefined,
          toolName: tool_name,
          filename: row.filename ?? undefined,
          tags: (row.tags ?? []).filter((tag) => tag !== null),
          generation: row.generation ?? undefined,
        };
        split.push({ id, written_by, ...searchColumns(fields) });
        // A long prompt takes milliseconds.
        await nextTurn();
      }
      await writeWords(db, split);
      done += split.length;
      progress();
      rows = await readUnsplitItems(db, { version: WORDS_VERSION, after: rows.at(-1)?.id ?? '0', limit: BATCH });
    }
  } finally {
    await lease.release();
  }
  if (done > BATCH) log.info({ done }, `the words of ${done} items were split: searches by text find them`);
  return done;
}
