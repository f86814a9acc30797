import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { type Location, markCorrupt, markSound } from '../../db/objects/locations.ts';
import { AppError } from '../../errors.ts';
import type { GetResult } from '../../storage/driver.ts';
import { BufferedObject } from '../../storage/streams/buffered-object.ts';
import type { Deps } from '../deps.ts';

export type VerifyDeps = Pick<Deps, 'db' | 'log' | 'metrics' | 'bodyCache' | 'verifiedFiles'>;

/**
 * All bytes of a location, verified against its SHA-256 before the last of them is sent, because an ETag promises them. Small
 * objects are verified before the first byte. A mismatch is recorded at the location, so that the next reader uses another one.
 * @throws AppError content_missing; a stream fails with it
 */
export async function verifiedContent(
  deps: VerifyDeps,
  itemId: string,
  location: Location,
  content: GetResult,
): Promise<GetResult> {
  const { sha256 } = location;
  if (sha256 === null) return content;
  if (content.data) {
    if (createHash('sha256').update(content.data).digest('hex') !== sha256) throw await damaged(deps, itemId, location);
    if (location.state === 'corrupt') await sound(deps, itemId, location);
    return new BufferedObject(content.data, content.totalBytes);
  }
  const { version } = content;
  if (version !== undefined && location.state !== 'corrupt' && deps.verifiedFiles.has(location, version))
    return content;
  const stream = Readable.from(checked(deps, itemId, location, content), { objectMode: false });
  // The generator gets the error when it reads. Until then an error without a listener would end the process.
  content.stream.on('error', () => {});
  // A reader that disconnects before the first byte never starts the generator, which would close the file.
  stream.once('close', () => content.stream.destroy());
  return { stream, bytes: content.bytes, totalBytes: content.totalBytes };
}

async function* checked(
  deps: VerifyDeps,
  itemId: string,
  location: Location,
  { stream, version }: GetResult,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let held: Buffer | undefined;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    hash.update(chunk);
    if (held) yield held;
    held = chunk;
  }
  if (hash.digest('hex') !== location.sha256) throw await damaged(deps, itemId, location);
  if (version !== undefined) deps.verifiedFiles.add(location, version);
  if (location.state === 'corrupt') await sound(deps, itemId, location);
  if (held) yield held;
}

async function damaged(deps: VerifyDeps, itemId: string, location: Location): Promise<AppError> {
  const { store, key } = location;
  deps.log.error(
    { itemId, store, key },
    'stored bytes are damaged: they do not hash to what was stored; the copy is marked corrupt',
  );
  deps.metrics.corruptRead(store);
  deps.bodyCache.forget(location);
  await markCorrupt(deps.db, { mediaId: itemId, store, key }).catch((error: unknown) =>
    deps.log.error(
      { err: error, itemId, store, key },
      'the copy could not be marked corrupt; the next read finds it again',
    ),
  );
  return new AppError('content_missing', 'The stored bytes of this item are damaged: they do not hash to its sha256.');
}

async function sound(deps: VerifyDeps, itemId: string, { store, key }: Location): Promise<void> {
  deps.log.warn({ itemId, store, key }, 'a copy that was marked corrupt reads as it was stored; the mark is removed');
  await markSound(deps.db, { mediaId: itemId, store, key }).catch(() => {});
}
