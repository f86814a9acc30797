import { createHash } from 'node:crypto';
import type { Trx } from '../db/database.ts';
import { fulfilIntent } from '../db/intents.ts';
import { insertLocation } from '../db/locations.ts';
import { type NewItem, findItem, insertItem } from '../db/media.ts';
import type { MediaItem } from '../db/media-item.ts';
import { setCurrentItem, takeSceneVersion } from '../db/scenes.ts';
import { AppError, codeOf } from '../errors.ts';
import { mediaTypeByMime } from '../media/media-type.ts';
import { outputKey, sceneKey } from '../storage/keys.ts';
import type { Store } from '../storage/stores.ts';
import { limited } from './body.ts';
import { type Caller, isAdmin, mayReach, ownerFor } from './caller.ts';
import type { Deps } from './deps.ts';
import { type Claim, assertSameContent, fingerprintOf, openKey } from './idempotency.ts';
import { type ItemFields, type ItemInput, checkFields } from './item-fields.ts';
import { type Adopted, adoptObject } from './adopt-object.ts';
import { searchText } from './search-text.ts';
import { type Staged, stage } from './stage.ts';

/** Bytes that flow in; `finish` gives what follows them in the request, before anything becomes visible. */
export interface BytesSource {
  type: 'bytes';
  /** For the metrics: `multipart`, `raw`, `base64`. */
  via: string;
  body: AsyncIterable<Uint8Array>;
  filename?: string | undefined;
  declaredType?: string | undefined;
  size?: number | undefined;
  /** Called when the body has ended. @throws AppError, then nothing is kept. */
  finish?: (digests: { sha256: string }) => Promise<ItemInput> | ItemInput;
}

export type Source =
  | BytesSource
  | { type: 'url'; url: string }
  | { type: 'object'; store: string; key: string }
  | { type: 'external'; storageUrl: string; storageProvider: string; mimeType?: string | undefined }
  | { type: 'none' };

export interface IngestRequest {
  caller: Caller;
  input: ItemInput;
  source: Source;
  idempotencyKey?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface IngestResult {
  item: MediaItem;
  /** The answer of an earlier request with the same idempotency key. */
  replayed: boolean;
}

/** Takes one item in: its bytes become durable, then its row appears, or neither. @throws AppError */
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
      deps.metrics.generationFailed(result.item.toolName, result.item.provider ?? 'unknown');
    return result;
  } catch (error) {
    observe(error instanceof AppError ? error.code : 'error');
    throw error;
  }
}

async function run(deps: Deps, request: IngestRequest): Promise<IngestResult> {
  const userId = ownerFor(request.caller, request.input.userId);
  const fields = checkFields(request.input, userId);
  checkSource(request, fields);
  await checkParent(deps, request.caller, fields.parentId);
  if (request.idempotencyKey === undefined) return { item: await take(deps, request, fields), replayed: false };
  const opened = await openKey(deps.db, { caller: request.caller.sub, key: request.idempotencyKey }, request.signal);
  if (opened.state === 'done') {
    assertSameContent(opened.fingerprint, await fingerprintWithoutStoring(deps, request, fields));
    return { item: opened.response as unknown as MediaItem, replayed: true };
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

function checkSource({ source, caller }: IngestRequest, fields: ItemFields): void {
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
  if (source.type === 'object' && !isAdmin(caller)) {
    throw new AppError(
      'insufficient_scope',
      'Adopting an object that is already in a store needs a token with media:admin.',
    );
  }
}

async function checkParent(deps: Deps, caller: Caller, parentId: string | undefined): Promise<void> {
  if (parentId === undefined) return;
  const parent = await findItem(deps.db, parentId);
  if (!parent || parent.deletedAt !== null || !mayReach(caller, parent.userId)) {
    throw new AppError('not_found', "'parentId' names no item that this token can see.", { field: 'parentId' });
  }
}

type Bytes = Pick<Staged, 'store' | 'key' | 'bytes' | 'sha256' | 'type' | 'inspection'> & { owned: boolean };

async function take(deps: Deps, request: IngestRequest, early: ItemFields, claim?: Claim): Promise<MediaItem> {
  const { source } = request;
  if (source.type === 'object') {
    const adopted: Adopted = await adoptObject(deps, source, early.sha256);
    return commit(deps, early, source, { ...adopted, owned: false }, claim);
  }
  if (source.type !== 'bytes' && source.type !== 'url') return commit(deps, early, source, undefined, claim);
  const staged = await stageSource(deps, request, source, early, claim);
  try {
    const late = source.type === 'bytes' ? await source.finish?.({ sha256: staged.sha256 }) : undefined;
    const fields = late ? checkFields({ ...request.input, ...late, userId: early.userId }, early.userId) : early;
    if (late) {
      await checkParent(deps, request.caller, late.parentId);
      checkSource(request, fields);
      checkLateDigest(fields, staged);
    }
    const item = await commit(deps, fields, source, { ...staged, owned: true }, claim, staged);
    staged.release();
    return item;
  } catch (error) {
    await staged.discard();
    throw error;
  }
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

async function stageSource(
  deps: Deps,
  request: IngestRequest,
  source: BytesSource | { type: 'url'; url: string },
  fields: ItemFields,
  claim?: Claim,
): Promise<Staged> {
  const store = fields.store === undefined ? deps.stores.primary : deps.stores.get(fields.store);
  const { signal } = request;
  const fetched = source.type === 'url' ? await deps.fetcher.fetch(source.url, { signal }) : undefined;
  const filename = fields.filename ?? (source.type === 'bytes' ? source.filename : fetched?.filename);
  if (fields.filename === undefined && filename !== undefined) request.input.filename = filename;
  return stage(deps, {
    store,
    body: source.type === 'bytes' ? source.body : (fetched?.body ?? emptyBody()),
    filename,
    declaredType: source.type === 'bytes' ? source.declaredType : fetched?.contentType,
    size: source.type === 'bytes' ? source.size : fetched?.contentLength,
    sha256: fields.sha256,
    signal,
    keyFor: (ext) => keyFor(fields, filename, ext),
    onRenew: claim && (() => claim.renew()),
  });
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {}

function keyFor(fields: ItemFields, filename: string | undefined, ext: string): string {
  if (fields.projectId !== undefined && fields.sceneId !== undefined)
    return sceneKey(fields.projectId, fields.sceneId, ext);
  return outputKey({ userId: fields.userId, subfolder: fields.subfolder, filename, ext });
}

/** The only transaction of an ingest: the item, its location, the end of its intent and the kept answer, all or nothing. */
async function commit(
  deps: Deps,
  fields: ItemFields,
  source: Source,
  bytes: Bytes | undefined,
  claim?: Claim,
  intent?: Staged,
): Promise<MediaItem> {
  const store = bytes && deps.stores.get(bytes.store);
  const fingerprint = contentFingerprint(fields, source, bytes?.sha256);
  try {
    return await deps.db.transaction().execute(async (trx) => {
      const scene = await takeScene(trx, fields, bytes !== undefined);
      const row = toRow(deps, fields, source, bytes, scene);
      const inserted = await insertItem(trx, row, (id) => storageUrl(deps, source, store, bytes?.key, id));
      if (bytes)
        await insertLocation(trx, {
          mediaId: inserted.id,
          store: bytes.store,
          key: bytes.key,
          bytes: bytes.bytes,
          sha256: bytes.sha256,
          owned: bytes.owned,
        });
      if (intent) await fulfilIntent(trx, intent);
      if (scene !== undefined && fields.projectId !== undefined && fields.sceneId !== undefined) {
        await setCurrentItem(trx, fields.projectId, fields.sceneId, inserted.id);
      }
      const item: MediaItem = {
        ...inserted,
        storageKey: bytes?.key ?? null,
        isCurrent: scene === undefined ? null : true,
      };
      await claim?.finish(trx, fingerprint, item);
      return item;
    });
  } catch (error) {
    if (codeOf(error) === '23505')
      throw new AppError('object_taken', 'Another item stands for that object already.', {
        cause: error,
        field: 'source.key',
      });
    throw error;
  }
}

async function takeScene(trx: Trx, fields: ItemFields, hasBytes: boolean): Promise<number | undefined> {
  if (fields.projectId === undefined || fields.sceneId === undefined || !hasBytes) return undefined;
  return takeSceneVersion(trx, fields.projectId, fields.sceneId, fields.userId);
}

function storageUrl(deps: Deps, source: Source, store: Store | undefined, key: string | undefined, id: string): string {
  if (source.type === 'external') return source.storageUrl;
  if (!store || key === undefined) return '';
  if (store.driver === 'local')
    return `${deps.publicBaseUrl}/uploads/${key.split('/').map(encodeURIComponent).join('/')}`;
  return `${deps.publicBaseUrl}/v1/media/${id}/content`;
}

function toRow(
  deps: Deps,
  fields: ItemFields,
  source: Source,
  bytes: Bytes | undefined,
  version: number | undefined,
): Omit<NewItem, 'id' | 'storage_url'> {
  const external = source.type === 'external' ? source : undefined;
  const type = bytes?.type ?? (external?.mimeType === undefined ? undefined : mediaTypeByMime(external.mimeType));
  return {
    user_id: fields.userId,
    username: fields.username,
    ...(fields.toolName !== undefined && { tool_name: fields.toolName }),
    prompt: fields.prompt ?? '',
    model: fields.model,
    provider: fields.provider,
    size: fields.size,
    quality: fields.quality,
    style: fields.style,
    n: fields.n ?? 1,
    storage_provider: bytes?.store ?? external?.storageProvider ?? null,
    mime_type: type?.mime,
    media_type: type?.mediaType ?? 'image',
    bytes: bytes?.bytes,
    sha256: bytes?.sha256,
    width: bytes?.inspection.width,
    height: bytes?.inspection.height,
    duration_ms: bytes?.inspection.durationMs,
    filename: fields.filename,
    visibility: fields.visibility ?? deps.defaultVisibility,
    tags: fields.tags,
    status: fields.status ?? 'success',
    error: fields.error,
    metadata: JSON.stringify(fields.metadata ?? {}),
    generation: fields.generation && JSON.stringify(fields.generation),
    search_text: searchText(fields),
    message_id: fields.messageId,
    request_id: fields.requestId,
    job_id: fields.jobId,
    run_id: fields.runId,
    project_id: fields.projectId,
    scene_id: fields.sceneId,
    version,
    parent_id: fields.parentId,
    external_id: fields.externalId,
    original_url: source.type === 'url' ? source.url : fields.originalUrl,
    generated_at: fields.generatedAt,
    expires_at: fields.expiresAt,
  };
}

function contentFingerprint(fields: ItemFields, source: Source, sha256: string | undefined): string {
  const { sha256: _stated, ...said } = fields;
  return fingerprintOf({ said, source: source.type === 'bytes' ? { sha256 } : source });
}

/** What the fingerprint of this request would have been: its bytes are read and hashed, and go nowhere. */
async function fingerprintWithoutStoring(deps: Deps, request: IngestRequest, early: ItemFields): Promise<string> {
  const { source } = request;
  if (source.type !== 'bytes') return contentFingerprint(early, source, undefined);
  const hash = createHash('sha256');
  for await (const chunk of limited(source.body, deps.limits.maxUploadBytes)) hash.update(chunk);
  const sha256 = hash.digest('hex');
  const late = await source.finish?.({ sha256 });
  const input = {
    ...request.input,
    filename: request.input.filename ?? source.filename,
    ...late,
    userId: early.userId,
  };
  return contentFingerprint(checkFields(input, early.userId), source, sha256);
}
