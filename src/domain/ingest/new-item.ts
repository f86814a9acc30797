import { CALLER_FIELDS, columnOf } from '../../db/item-columns.ts';
import type { NewItem, NewRow } from '../../db/items/insert-items.ts';
import { mediaTypeByMime } from '../../media/media-type.ts';
import type { Store } from '../../storage/stores/store.ts';
import type { Source } from '../bytes/source.ts';
import type { Deps } from '../deps.ts';
import { eventOf } from '../items/item-event.ts';
import type { ItemFields } from '../items/item-fields.ts';
import { searchColumns } from '../items/search-columns.ts';
import type { Staged } from '../staging/stage.ts';
import { storageUrlOf } from '../staging/storage-url.ts';
import { wantedCopies } from '../staging/wanted-copies.ts';

/** Durable bytes, ours or adopted. */
export type Bytes = Pick<Staged, 'store' | 'key' | 'bytes' | 'sha256' | 'type' | 'inspection'> & {
  owned: boolean;
  /** The store that should have received them, when they were written to a fallback. */
  home?: Store | undefined;
};

type NewItemDeps = Pick<Deps, 'stores' | 'publicBaseUrl' | 'defaultVisibility'>;

/** The row to insert: the caller's fields, the facts about its bytes, and its related rows. */
export function newItem(
  deps: NewItemDeps,
  { fields, source, bytes }: { fields: ItemFields; source: Source; bytes?: Bytes | undefined },
): NewItem {
  const status = fields.status ?? 'success';
  const inScene = fields.projectId !== undefined && fields.sceneId !== undefined;
  return {
    row: rowOf(deps, fields, source, bytes),
    storageUrl: (id) => {
      if (source.type === 'external') return source.storageUrl;
      return bytes ? storageUrlOf(deps.publicBaseUrl, deps.stores.get(bytes.store), bytes.key, id) : '';
    },
    location: bytes && { store: bytes.store, key: bytes.key, owned: bytes.owned },
    copies: bytes ? wantedCopies(deps.stores, bytes) : [],
    takesVersion: inScene && (bytes !== undefined || status === 'pending'),
    event: eventOf(status),
  };
}

const SAID = CALLER_FIELDS.map(([field]) => ({ field, column: columnOf(field) }));

function rowOf(
  deps: Pick<Deps, 'defaultVisibility'>,
  fields: ItemFields,
  source: Source,
  bytes: Bytes | undefined,
): NewRow {
  const external = source.type === 'external' ? source : undefined;
  const type = bytes?.type ?? (external?.mimeType === undefined ? undefined : mediaTypeByMime(external.mimeType));
  const said: Record<string, unknown> = {};
  for (const { field, column } of SAID) said[column] = fields[field];
  return {
    ...said,
    user_id: fields.userId,
    prompt: fields.prompt ?? '',
    visibility: fields.visibility ?? deps.defaultVisibility,
    tags: fields.tags,
    metadata: fields.metadata ?? {},
    original_url: fields.originalUrl ?? (source.type === 'url' ? source.url : undefined),
    provider_response: fields.providerResponse,
    ...searchColumns(fields),
    storage_provider: bytes?.store ?? external?.storageProvider,
    mime_type: type?.mime ?? external?.mimeType,
    media_type: type?.mediaType,
    bytes: bytes?.bytes ?? external?.bytes,
    sha256: bytes?.sha256 ?? (external && fields.sha256),
    width: bytes?.inspection.width,
    height: bytes?.inspection.height,
    duration_ms: bytes?.inspection.durationMs,
  };
}
