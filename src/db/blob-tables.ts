import { type RawBuilder, sql } from 'kysely';
import type { Db } from './database.ts';

/** Columns of a foreign table, by their content. */
export interface BlobColumns {
  id: string;
  bytes: string;
  user?: string | undefined;
  mimeType?: string | undefined;
  filename?: string | undefined;
  prompt?: string | undefined;
  tool?: string | undefined;
  model?: string | undefined;
  createdAt?: string | undefined;
}

/** A table that was verified to have these columns. */
export interface BlobTable {
  name: string;
  columns: BlobColumns;
  /** SQL type of the id. */
  idType: string;
  /** Whether the column holds bytes or base64 text. */
  encoding: 'bytes' | 'base64';
}

/** A row without its bytes; every value as text. */
export interface BlobRow {
  id: string;
  /** Of bytes; undefined for base64. */
  sha256: string | undefined;
  user: string | undefined;
  mimeType: string | undefined;
  filename: string | undefined;
  prompt: string | undefined;
  tool: string | undefined;
  model: string | undefined;
  /** RFC 3339. */
  createdAt: string | undefined;
}

/** SQL types of a table's columns, by name; empty: there is no such table. */
export async function columnTypes(db: Db, name: string): Promise<Map<string, string>> {
  const { rows } = await sql<{ column: string; type: string }>`
    SELECT attname AS column, format_type(atttypid, NULL) AS type FROM pg_attribute
    WHERE attrelid = to_regclass(${quoted(name)}) AND attnum > 0 AND NOT attisdropped`.execute(db);
  return new Map(rows.map((row) => [row.column, row.type]));
}

/** Schema and table, each quoted. */
function quoted(name: string): string {
  return name
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.');
}

export async function countBlobs(db: Db, { name, columns }: BlobTable): Promise<number> {
  const { rows } = await sql<{ count: string }>`
    SELECT count(*) AS count FROM ${sql.table(name)} WHERE ${sql.id(columns.bytes)} IS NOT NULL`.execute(db);
  return Number(rows[0]?.count ?? 0);
}

/** The next rows that have bytes, in the order of their ids; the source database computes the hash. */
export async function nextBlobs(
  db: Db,
  { name, columns, idType, encoding }: BlobTable,
  after: string | undefined,
  limit: number,
): Promise<BlobRow[]> {
  // Qualified: a bare name in ORDER BY would mean the selected text, whose order differs from the cursor's.
  const id = sql.id('source', columns.id);
  const bytes = sql.id('source', columns.bytes);
  const text = (column: string | undefined): RawBuilder<string | null> =>
    column === undefined ? sql`NULL` : sql`${sql.id('source', column)}::text`;
  const time =
    columns.createdAt === undefined
      ? sql`NULL`
      : sql`to_jsonb(${sql.id('source', columns.createdAt)}::timestamptz) #>> '{}'`;
  const beyond = after === undefined ? sql`TRUE` : sql`${id} > ${after}::${sql.raw(idType)}`;
  const { rows } = await sql<Record<keyof BlobRow, string | null>>`
    SELECT ${id}::text AS id, ${encoding === 'bytes' ? sql`encode(sha256(${bytes}), 'hex')` : sql`NULL`} AS sha256,
      ${text(columns.user)} AS user, ${text(columns.mimeType)} AS "mimeType", ${text(columns.filename)} AS filename,
      ${text(columns.prompt)} AS prompt, ${text(columns.tool)} AS tool, ${text(columns.model)} AS model, ${time} AS "createdAt"
    FROM ${sql.table(name)} AS source WHERE ${bytes} IS NOT NULL AND ${beyond} ORDER BY ${id} LIMIT ${limit}`.execute(
    db,
  );
  return rows.map((row) => ({
    id: row.id ?? '',
    sha256: row.sha256 ?? undefined,
    user: row.user ?? undefined,
    mimeType: row.mimeType ?? undefined,
    filename: row.filename ?? undefined,
    prompt: row.prompt ?? undefined,
    tool: row.tool ?? undefined,
    model: row.model ?? undefined,
    createdAt: row.createdAt ?? undefined,
  }));
}

/** Bytes, or characters of base64, that one statement reads. */
const PIECE = 4 * 1024 * 1024;

/**
 * The content of a row as its column has it, bytes or base64 text, one piece per statement. The last piece is undefined when the row
 * disappeared before its end.
 */
export async function* blobPieces(db: Db, table: BlobTable, id: string): AsyncGenerator<Buffer | string | undefined> {
  const column = sql.id(table.columns.bytes);
  for (let from = 0; ; from += PIECE) {
    const { rows } = await sql<{ piece: Buffer | string | null }>`
      SELECT substr(${column}, ${from + 1}::integer, ${PIECE}::integer) AS piece FROM ${sql.table(table.name)}
      WHERE ${sql.id(table.columns.id)} = ${id}::${sql.raw(table.idType)}`.execute(db);
    const piece = rows[0]?.piece ?? undefined;
    yield piece;
    if (piece === undefined || piece.length < PIECE) return;
  }
}
