import type { MediaItem } from '../../db/item-columns.ts';
import { createHash } from 'node:crypto';
import { findItem, isUndeletedItem } from '../../db/items/items.ts';
import type { Run } from '../../db/runs/runs.ts';
import { AppError } from '../../errors.ts';
import { cutBytes } from '../../storage/keys.ts';
import { adoptObject } from './adopt-object.ts';
import { openBody } from '../bytes/incoming-body.ts';
import { type Caller, isAdmin, mayReach, ownerFor } from '../caller.ts';
import { commitItem, contentFingerprint } from './commit-item.ts';
import type { Deps } from '../deps.ts';
import { type Claim, assertSameContent, openKey } from '../idempotency.ts';
import { addressToKeep, keepPending } from './keep-pending.ts';
import { type ItemFields, type ItemInput, checkFields } from '../items/item-fields.ts';
import { withoutControls } from '../items/text-limits.ts';
import { assertOpen, destinationOf, findRunOf } from '../staging/destination.ts';
import type { BytesSource, Source } from '../bytes/source.ts';
import { type Staged, stage } from '../staging/stage.ts';

export interface IngestRequest {
  caller: Caller;
  input: ItemInput;
  source: Source;
  idempotencyKey?: string | undefined;
  signal?: AbortSignal | undefined;
  /** If the bytes cannot be stored at the moment but can be fetched from a URL later, keep the item as `pending`. */
  keepPending?: boolean | undefined;
  /** The run accepted the item before it was completed. */
  admitted?: boolean | undefined;
}

export interface IngestResult {
  item: MediaItem;
  /** True: the response of an earlier request with the same idempotency key. */
  replayed: boolean;
}

/** Stores one item. The bytes are durable before the row is visible; on error neither exists. @throws AppError */
export async function ingest(deps: Deps, request: IngestRequest): Promise<IngestResult> {
  const started = performance.now();
  const source = request.source.type === 'bytes' ? request.source.via : request.source.type;
  const observe = (outcome: string, item?: MediaItem) =>
    deps.metrics.ingested({
      source,
      outcome,
      mediaType: item?.mediaType ?? 'unknown',
      bytes: item?.bytes ?? 0,
      seconds: (performance.now() - started) / 1000,
    });
  try {
    const result = await run(deps, request);
    observe(result.replayed ? 'replayed' : 'stored', result.item);
    if (result.item.status === 'failed' && !result.replayed)
      deps.metrics.generationFailed(result.item.toolName ?? 'unknown', result.item.provider ?? 'unknown');
    return result;
  } catch (error) {
    observe(error instanceof AppError ? error.code : 'error');
    throw error;
  }
}

async function run(deps: Deps, request: IngestRequest): Promise<IngestResult> {
  const userId = ownerFor(request.caller, request.input.userId);
  const fields = checkFields(request.input, userId);
  checkSource(deps, request, fields);
  await checkParent(deps, request.caller, fields.parentId);
  if (request.idempotencyKey === undefined) return { item: await take(deps, request, fields), replayed: false };
  const opened = await openKey(deps.db, { caller: request.caller.sub, key: request.idempotencyKey }, request.signal);
  if (opened.state === 'done') {
    assertSameContent(opened.fingerprint, await fingerprintWithoutStoring(deps, request, fields));
    const item = opened.response as unknown as MediaItem;
    await assertNotDeleted(deps, item.id);
    return { item, replayed: true };
  }
  try {
    return { item: await take(deps, request, fields, opened.claim), replayed: false };
  } catch (error) {
    await opened.claim
      .release()
      .catch((cause: unknown) =>
        deps.log.warn({ err: cause }, 'could not release an idempotency key; it frees itself in two minutes'),
      );
    throw error;
  }
}

/** A replay claims that the item is stored. @throws AppError item_deleted */
async function assertNotDeleted(deps: Deps, id: string): Promise<void> {
  if (await isUndeletedItem(deps.db, id)) return;
  throw new AppError(
    'item_deleted',
    `The item ${id} that this Idempotency-Key stored has been deleted; restore it, or send the file with a new key.`,
    { field: 'Idempotency-Key' },
  );
}

function checkSource(deps: Deps, { source, caller }: IngestRequest, fields: ItemFields): void {
  const failed = fields.status === 'failed';
  if (failed && source.type !== 'none') {
    throw new AppError('invalid_request', "A failed generation has no bytes: leave 'source' out, or 'status'.", {
      field: 'status',
    });
  }
  if (failed && (fields.error ?? '') === '') {
    throw new AppError('invalid_request', "A failed generation needs 'error': what went wrong.", { field: 'error' });
  }
  if (!failed && source.type === 'none') {
    throw new AppError(
      'file_missing',
      "The request has neither bytes nor a 'source'; send one, or status 'failed' with an 'error'.",
      { field: 'source' },
    );
  }
  // metadata.json of a run tells its external items by the provider's name.
  const mayBearStore = source.type === 'external' && source.asWritten === true && fields.runId === undefined;
  if (source.type === 'external' && !mayBearStore && deps.stores.has(source.storageProvider)) {
    throw new AppError(
      'invalid_request',
      `'${source.storageProvider}' is a store of this service, which does not keep this file; name who does.`,
      { field: source.asWritten === true ? 'storageProvider' : 'source.storageProvider' },
    );
  }
  if (source.type === 'object' && !isAdmin(caller)) {
    throw new AppError(
      'insufficient_scope',
      'Adopting an object that is already in a store needs a token with media:admin.',
    );
  }
}

/** @throws AppError not_found: the parent does not exist, or is not the caller's. */
export async function checkParent(deps: Deps, caller: Caller, parentId: string | undefined): Promise<void> {
  if (parentId === undefined) return;
  const parent = await findItem(deps.db, parentId);
  if (!parent || parent.deletedAt !== null || !mayReach(caller, parent.userId)) {
    throw new AppError('not_found', "'parentId' names no item that this token can see.", { field: 'parentId' });
  }
}

async function take(deps: Deps, request: IngestRequest, early: ItemFields, claim?: Claim): Promise<MediaItem> {
  const { source } = request;
  const run = await findRunOf(deps, early);
  if (request.admitted !== true) assertOpen(run);
  if (source.type === 'object') {
    const adopted = await adoptObject(deps, source, early.sha256);
    await stillThere(deps, adopted);
    return commitItem(deps, { fields: early, source, bytes: { ...adopted, owned: false }, claim });
  }
  if (source.type !== 'bytes' && source.type !== 'url') return commitItem(deps, { fields: early, source, claim });
  let arrived: Awaited<ReturnType<typeof stageSource>>;
  try {
    arrived = await stageSource(deps, request, source, { fields: early, run, claim });
  } catch (error) {
    const url = request.keepPending === true ? addressToKeep(source, early, error) : undefined;
    if (url === undefined) throw error;
    deps.log.warn({ err: error }, 'the bytes of an item could not be stored; it is kept as pending');
    return keepPending(deps, { fields: early, source, url, claim });
  }
  const { staged, filename } = arrived;
  try {
    const late = source.type === 'bytes' ? await source.finish?.({ sha256: staged.sha256 }) : undefined;
    const fields = late ? checkFields({ ...request.input, ...late, userId: early.userId }, early.userId) : early;
    if (late) {
      await checkParent(deps, request.caller, late.parentId);
      checkSource(deps, request, fields);
      checkLateDigest(fields, staged);
      await checkLateRun(deps, early, fields);
    }
    const item = await commitItem(deps, {
      fields,
      source,
      bytes: { ...staged, owned: true },
      filename,
      claim,
      intent: staged,
    });
    staged.release();
    return item;
  } catch (error) {
    await staged.discard();
    throw error;
  }
}

/** The object may have been deleted while it was read. */
async function stillThere(
  deps: Deps,
  { store, key, bytes }: { store: string; key: string; bytes: number },
): Promise<void> {
  const found = await deps.stores.get(store).stat(key);
  if (found?.bytes !== bytes)
    throw new AppError('not_found', 'The object was changed or removed while it was read.', { field: 'source.key' });
}

function checkLateDigest(fields: ItemFields, staged: Staged): void {
  if (fields.sha256 !== undefined && fields.sha256 !== staged.sha256) {
    throw new AppError(
      'digest_mismatch',
      `The file's SHA-256 is ${staged.sha256}, not ${fields.sha256}; nothing was kept.`,
      { field: 'sha256' },
    );
  }
}

/** The folder was chosen before the run was named. */
async function checkLateRun(deps: Deps, early: ItemFields, late: ItemFields): Promise<void> {
  if (late.runId !== early.runId && (await findRunOf(deps, late)))
    throw new AppError(
      'field_after_file',
      "'runId' decides where the file is put; send it before the file, or in the query.",
      { field: 'runId' },
    );
}

async function stageSource(
  deps: Deps,
  request: IngestRequest,
  source: BytesSource | { type: 'url'; url: string },
  { fields, run, claim }: { fields: ItemFields; run: Run | undefined; claim: Claim | undefined },
): Promise<{ staged: Staged; filename: string | undefined }> {
  const { signal } = request;
  const fetched = source.type === 'url' ? await deps.fetcher.fetch(source.url, { signal }) : undefined;
  const filename = fields.filename ?? suggestedName(source.type === 'bytes' ? source.filename : fetched?.filename);
  const staged = await stage(deps, {
    ...destinationOf(deps, fields, filename, run),
    body: source.type === 'bytes' ? source.body : (fetched?.body ?? emptyBody()),
    filename,
    declaredType: source.type === 'bytes' ? source.declaredType : fetched?.contentType,
    size: source.type === 'bytes' ? source.size : fetched?.contentLength,
    sha256: fields.sha256,
    signal,
    onRenew: claim && (() => claim.renew()),
  });
  return { staged, filename };
}

const MAX_SUGGESTED_BYTES = 255;

/** A name that a third party chose, without characters that cannot be stored or could deceive; undefined when nothing is left. */
export function suggestedName(name: string | undefined): string | undefined {
  return cutBytes(withoutControls(name?.toWellFormed() ?? ''), MAX_SUGGESTED_BYTES) || undefined;
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {}

/** Reads and hashes the bytes without storing them, to compute the fingerprint of this request. */
async function fingerprintWithoutStoring(deps: Deps, request: IngestRequest, early: ItemFields): Promise<string> {
  const { source } = request;
  if (source.type !== 'bytes') return contentFingerprint(early, source, undefined);
  const hash = createHash('sha256');
  const body = await openBody(source.body, { headBytes: 0, maxBytes: deps.limits.maxUploadBytes });
  for await (const chunk of body.read()) hash.update(chunk);
  const sha256 = hash.digest('hex');
  const late = await source.finish?.({ sha256 });
  const fields = checkFields({ ...request.input, ...late, userId: early.userId }, early.userId);
  return contentFingerprint(fields, source, sha256);
}
