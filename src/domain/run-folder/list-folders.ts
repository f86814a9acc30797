import { AppError } from '../../errors.ts';
import type { Store } from '../../storage/stores/store.ts';

/** A folder below `runs/` in a store. */
export interface RunFolder {
  runId: string;
  /** Sizes of its files, by name. */
  files: Map<string, number>;
  /** Keys of files in its subfolders. */
  deeper: string[];
}

/** The only names that a run's folder can have; others cannot be part of our keys. */
const RUN_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;

/** The folders below `runs/`, one after the other; `tell` gets keys of other names. @throws AppError store_unavailable */
export async function* runFolders(store: Store, tell: (key: string) => void): AsyncGenerator<RunFolder> {
  if (!store.capabilities.list.able)
    throw new AppError('invalid_request', `The store '${store.name}' cannot list its objects.`);
  let open: RunFolder | undefined;
  let cursor: string | undefined;
  do {
    const page = await store.list('runs/', cursor);
    for (const { key, bytes } of page.objects) {
      const [, runId = '', ...rest] = key.split('/');
      if (!RUN_ID.test(runId) || rest.length === 0) {
        tell(key);
        continue;
      }
      // Keys are sorted, so those of one folder are adjacent.
      if (open && open.runId !== runId) {
        yield open;
        open = undefined;
      }
      open ??= { runId, files: new Map(), deeper: [] };
      if (rest.length === 1) open.files.set(rest[0] ?? '', bytes);
      else open.deeper.push(key);
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  if (open) yield open;
}

const MAX_TEXT_BYTES = 256 * 1024 * 1024;

/** A text file of a run; undefined when there is none. @throws AppError too_large, store_unavailable */
export async function readText(
  store: Store,
  folder: RunFolder,
  name: string,
  maxBytes = MAX_TEXT_BYTES,
): Promise<string | undefined> {
  const bytes = folder.files.get(name);
  if (bytes === undefined) return undefined;
  if (bytes > maxBytes) throw new AppError('too_large', `${name} has ${bytes} bytes, at most ${maxBytes} are read.`);
  const { stream } = await store.get(`runs/${folder.runId}/${name}`);
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += (chunk as Buffer).length;
    if (length > maxBytes) throw new AppError('too_large', `${name} grew while it was read.`);
    chunks.push(chunk as Buffer);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(Buffer.concat(chunks));
  } catch (error) {
    throw new AppError('invalid_json', `${name} is not UTF-8.`, { cause: error });
  }
}
