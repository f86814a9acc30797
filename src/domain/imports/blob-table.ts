import { type BlobColumns, type BlobTable, blobPieces, columnTypes } from '../../db/blob-tables.ts';
import type { Db } from '../../db/database.ts';
import { AppError } from '../../errors.ts';

/** @throws AppError invalid_request naming the table or column that is missing or has no usable type */
export async function openBlobTable(db: Db, name: string, columns: BlobColumns): Promise<BlobTable> {
  const types = await columnTypes(db, name);
  if (types.size === 0) throw new AppError('invalid_request', `There is no table '${name}' in the database.`);
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

/** The bytes of a row. @throws AppError content_missing, invalid_base64 */
export async function* readBlob(db: Db, table: BlobTable, id: string): AsyncGenerator<Uint8Array> {
  let rest = '';
  let first = true;
  for await (const piece of blobPieces(db, table, id)) {
    if (piece === undefined) throw new AppError('content_missing', 'The row has gone meanwhile.');
    if (typeof piece !== 'string') yield piece;
    else {
      const text = (first ? piece.replace(/^\s*data:[^,]{0,500},/i, '') : piece).replace(/\s+/g, '');
      if (!/^[A-Za-z0-9+/_=-]*$/.test(text)) throw new AppError('invalid_base64', 'The text of the row is not base64.');
      // Four characters are three bytes; the rest belongs to the next piece.
      const joined = rest + text;
      const whole = joined.length - (joined.length % 4);
      rest = joined.slice(whole);
      if (whole > 0) yield Buffer.from(joined.slice(0, whole), 'base64');
    }
    first = false;
  }
  if (rest !== '') yield Buffer.from(rest, 'base64');
}
