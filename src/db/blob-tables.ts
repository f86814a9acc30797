import { type RawBuilder, sql } from 'kysely';
import { AppError } from '../errors.ts';
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

/** @throws AppError invalid_request naming the table or column that is missing or has no usable type */
export async function openBlobTable(db: Db, name: string, columns: BlobColumns): Promise<BlobTable> {
  const { rows } = await sql<{ column: string; type: string }>`
    SELECT attname AS column, format_type(atttypid, NULL) AS type FROM pg_attribute
    WHERE attrelid = to_regclass(${quoted(name)}) AND attnum > 0 AND NOT attisdropped`.execute(db);
  if (rows.length === 0) throw new AppError('invalid_request', `There is no table '${name}' in the database.`);
  const types = new Map(rows.map((row) => [row.column, row.type]));
  for (const column of Object.values(columns)) {
    if (column !== undefined && !types.has(column))
      throw new AppError(
        'invalid_request',
        `The table '${name}' has no column '${column}'; it has: ${[...types.keys()].join(', ')}.`,
      );
  }
  const type = types.get(columns.bytes) ?? '';
  if (type !== 'bytea' && type !== 'text' && type !== 'character varying')
    throw new AppError(
      'invalid_request',
      `The column '${columns.bytes}' is ${type}; it must be bytea, or text with base64.`,
    );
  return {
    name,
    columns,
    idType: types.get(columns.id) ?? 'text',
    encoding: type === 'bytea' ? 'bytes' : 'base64',
  };
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

/** The bytes of a row, one piece per statement. @throws AppError content_missing, invalid_base64 */
export async function* readBlob(db: Db, table: BlobTable, id: string): AsyncGenerator<Uint8Array> {
  const column = sql.id(table.columns.bytes);
  const piece = async (from: number) => {
    const { rows } = await sql<{ piece: Buffer | string }>`
      SELECT substr(${column}, ${from + 1}::integer, ${PIECE}::integer) AS piece FROM ${sql.table(table.name)}
      WHERE ${sql.id(table.columns.id)} = ${id}::${sql.raw(table.idType)}`.execute(db);
    const found = rows[0]?.piece;
    if (found === undefined || found === null) throw new AppError('content_missing', 'The row has gone meanwhile.');
    return found;
  };
  let rest = '';
  for (let from = 0; ; from += PIECE) {
    const read = await piece(from);
    if (typeof read !== 'string') yield read;
    else {
      const text = (from === 0 ? read.replace(/^\s*data:[^,]{0,500},/i, '') : read).replace(/\s+/g, '');
      if (!/^[A-Za-z0-9+/_=-]*$/.test(text)) throw new AppError('invalid_base64', 'The text of the row is not base64.');
      // Four characters are three bytes; the rest belongs to the next piece.
      const joined = rest + text;
      const whole = joined.length - (joined.length % 4);
      rest = joined.slice(whole);
      if (whole > 0) yield Buffer.from(joined.slice(0, whole), 'base64');
    }
    if (read.length < PIECE) break;
  }
  if (rest !== '') yield Buffer.from(rest, 'base64');
}
