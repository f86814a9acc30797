import { type Selectable, sql } from 'kysely';
import type { Db } from '../database.ts';
import type { GeneratedImagesTable } from '../item-columns.ts';

/** A row whose words are missing or were split in an older way, with the fields that they come from. */
export type UnsplitItem = Pick<
  Selectable<GeneratedImagesTable>,
  'id' | 'prompt' | 'model' | 'tool_name' | 'filename' | 'tags' | 'generation'
> & { written_by: string };

/** The predicate of the index that holds these rows alone. */
const unsplit = (version: number) => sql<boolean>`generated_images.search_version IS DISTINCT FROM ${sql.lit(version)}`;

/** Some of those rows in the order of their ids, behind an id. */
export async function readUnsplitItems(
  db: Db,
  { version, after, limit }: { version: number; after: string; limit: number },
): Promise<UnsplitItem[]> {
  return db
    .selectFrom('generated_images')
    .select(['id', 'prompt', 'model', 'tool_name', 'filename', 'tags', 'generation'])
    .select(sql<string>`generated_images.xmin::text`.as('written_by'))
    .where(unsplit(version))
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit)
    .execute();
}

/** How many there are. */
export async function countUnsplitItems(db: Db, version: number): Promise<number> {
  const { count } = await db
    .selectFrom('generated_images')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .where(unsplit(version))
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Writes words of rows that nobody has changed since they were read. Not an edit of an item. */
export async function writeWords(
  db: Db,
  rows: readonly { id: string; written_by: string; search_words: string; search_version: number }[],
): Promise<void> {
  const column = (name: 'id' | 'written_by' | 'search_words') => rows.map((row) => row[name]);
  await sql`
    UPDATE generated_images SET search_words = split.words::tsvector, search_version = ${rows[0]?.search_version}
    FROM unnest(${column('id')}::bigint[], ${column('written_by')}::text[], ${column('search_words')}::text[]) AS split (id, written_by, words)
    WHERE generated_images.id = split.id AND generated_images.xmin::text = split.written_by`.execute(db);
}
