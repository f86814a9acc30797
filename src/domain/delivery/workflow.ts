import { AppError, isAppError } from '../../errors.ts';
import { findWorkflow, toWorkflow, type Workflow } from '../../media/generation/find-workflow.ts';
import { createTextReader } from '../../media/inspect/inspect.ts';
import { mediaTypeByMime } from '../../media/media-type.ts';
import type { Caller } from '../caller.ts';
import type { Deps } from '../deps.ts';
import type { ItemWithLocations } from '../../db/items/items.ts';
import { openContent, readItem, servable } from './open-content.ts';

/** Bytes of a file that are searched for a workflow; WebP stores it after its pixels. */
const MAX_READ_BYTES = 256 * 1024 * 1024;
/** Bytes that are read beyond the graph, in case the editor's workflow follows it. */
const MAX_BYTES_BETWEEN = 8 * 1024 * 1024;

/**
 * The ComfyUI workflow that made an item: from its file, else from its import.
 * @throws AppError not_found: no such item for this caller, or no workflow; store_unavailable
 */
export async function readWorkflow(
  deps: Deps,
  caller: Caller,
  id: string,
  signal?: AbortSignal,
): Promise<Workflow & { itemId: string }> {
  const item = await readItem(deps, caller, id);
  const kept = toWorkflow(item.generation['workflow']);
  const found = await inFile(deps, item, signal).catch((error: unknown) => {
    if (kept && isAppError(error)) return undefined;
    throw error;
  });
  const workflow = found ?? kept;
  if (!workflow)
    throw new AppError('not_found', 'Neither the file nor the record of this item holds a ComfyUI workflow.');
  return { ...workflow, itemId: item.id };
}

async function inFile(deps: Deps, item: ItemWithLocations, signal?: AbortSignal): Promise<Workflow | undefined> {
  const type = mediaTypeByMime(item.mimeType ?? '');
  const reader = type && createTextReader(type);
  const locations = servable(deps, item.locations);
  if (!reader || locations.length === 0) return undefined;
  const { stream } = await openContent(deps, item, locations, undefined, signal);
  let workflow: Workflow | undefined;
  try {
    let seen = 0;
    let left = MAX_READ_BYTES;
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      const texts = reader.push(chunk);
      if (texts.size > seen) {
        seen = texts.size;
        workflow = findWorkflow(texts);
        if (workflow) left = Math.min(left, MAX_BYTES_BETWEEN);
      }
      left -= chunk.length;
      if (workflow?.format === 'editor' || left <= 0) break;
    }
    if (workflow?.format !== 'editor') workflow = findWorkflow(reader.end()) ?? workflow;
  } finally {
    stream.destroy();
  }
  return workflow;
}
