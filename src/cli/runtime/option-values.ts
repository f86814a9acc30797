import { InvalidArgumentError } from 'commander';

/** @throws InvalidArgumentError: not a whole number from 1 to 64 */
export function concurrency(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 64)
    throw new InvalidArgumentError('Give a whole number from 1 to 64.');
  return number;
}

/** Collects an option that may be repeated. */
export function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** @throws InvalidArgumentError */
export function uuid(text: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) throw new InvalidArgumentError('Give a UUID.');
  return text.toLowerCase();
}

/** An ISO time of a date or a time. @throws InvalidArgumentError */
export function time(text: string): string {
  const parsed = new Date(text);
  if (Number.isNaN(parsed.getTime()))
    throw new InvalidArgumentError('Give a time like 2026-01-31 or 2026-01-31T12:00:00Z.');
  return parsed.toISOString();
}

const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
const MAX_DAYS = 3650;

/** Seconds of `900`, `15m`, `12h` or `30d`. @throws InvalidArgumentError */
export function duration(text: string): number {
  const [, count, unit = 's'] = /^(\d{1,9})([smhd])?$/.exec(text) ?? [];
  const seconds = Number(count) * UNITS[unit as keyof typeof UNITS];
  if (!(seconds > 0) || seconds > MAX_DAYS * UNITS.d)
    throw new InvalidArgumentError(`Give seconds, or a duration like 15m, 12h or 30d (at most ${MAX_DAYS}d).`);
  return seconds;
}

/** An HTTP(S) prefix and the folder that holds its files. */
export interface FolderMapping {
  prefix: string;
  folder: string;
}

/** Collects `https://old.example.com/uploads/=/mnt/uploads`. @throws InvalidArgumentError */
export function folderMapping(text: string, before: FolderMapping[] = []): FolderMapping[] {
  const at = text.lastIndexOf('=');
  const prefix = text.slice(0, at);
  const folder = text.slice(at + 1);
  if (at < 1 || folder === '' || !/^https?:\/\/.+\/$/.test(prefix))
    throw new InvalidArgumentError(
      'Give the beginning of the URLs, with a slash at its end, and a folder: https://old.example.com/uploads/=/mnt/uploads',
    );
  return [...before, { prefix, folder }];
}
