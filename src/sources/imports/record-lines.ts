import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

/** Longest line in characters; a record may contain a file in base64. */
const MAX_LINE = 90 * 1024 * 1024;

/** A line of a JSON Lines file, or why it cannot be read. Lines are counted from 1; empty ones are skipped. */
export type JsonLine = { line: number } & ({ value: Record<string, unknown> } | { problem: string });

/** Reads JSON Lines from a file, or from standard input when `file` is `-`. @throws ENOENT and other errors of the file system */
export async function* readJsonLines(file: string): AsyncGenerator<JsonLine> {
  const input = file === '-' ? process.stdin : createReadStream(file, { highWaterMark: 1024 * 1024 });
  let line = 0;
  for await (const text of createInterface({ input, crlfDelay: Infinity })) {
    line += 1;
    if (text.trim() === '') continue;
    yield { line, ...parse(text) };
  }
}

function parse(text: string): { value: Record<string, unknown> } | { problem: string } {
  if (text.length > MAX_LINE) return { problem: 'The line is longer than 90 MiB; give the file by its path or URL.' };
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return { value: value as Record<string, unknown> };
    return { problem: 'The line is no JSON object.' };
  } catch {
    return { problem: 'The line is not valid JSON.' };
  }
}
