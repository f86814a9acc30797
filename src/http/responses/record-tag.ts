import type { FastifyRequest } from 'fastify';
import type { RevisedItem } from '../../db/items/items.ts';
import type { Expected } from '../../domain/changes/change-item.ts';
import { matchesEtag } from './conditions.ts';

/**
 * The ETag of a record: the same until an edit, or until another version becomes the current one of its scene. Work in the background,
 * such as copies and downloads, does not change it, so it says nothing about whether the record is still as it was read.
 */
export function recordTag({ item: { id, isCurrent }, revision }: RevisedItem): string {
  return `"${id}.${revision}${isCurrent === true ? 'c' : ''}"`;
}

/**
 * The state that `If-Match` asks for; undefined: any. A weak tag counts as well: proxies that compress answers weaken them, and a
 * revision is the same in every encoding.
 */
export function expectedOf(request: FastifyRequest): Expected | undefined {
  const header = request.headers['if-match'];
  return header === undefined ? undefined : (found) => matchesEtag(header, recordTag(found));
}
