import { create as contentDisposition } from 'content-disposition';
import type { DeliveredItem } from '../../db/items/delivery-row.ts';
import { mediaTypeByExtension, mediaTypeByMime } from '../../media/media-type.ts';
import { cutBytes } from '../../storage/keys.ts';

/** How the bytes of an item are offered, whoever sends them. */
export interface ContentHeaders {
  contentType: string;
  contentDisposition: string;
}

/** The type is one that this service knows, or none; what a browser could run is offered for saving only. */
export function contentHeaders(item: DeliveredItem, download: boolean): ContentHeaders {
  const type = mediaTypeByMime(item.mimeType ?? '');
  return {
    // A type that is not ours (an older system's row may hold any text) is not repeated to a browser.
    contentType: type?.mime ?? 'application/octet-stream',
    contentDisposition: contentDisposition(fileName(item, type?.ext), {
      type: download || type?.inline !== true ? 'attachment' : 'inline',
    }),
  };
}

function fileName(item: DeliveredItem, ext: string | undefined): string {
  const named = item.filename ?? item.storageKey?.split('/').at(-1) ?? `media-${item.id}`;
  // Characters that reorder text or end a header make a name lie about its extension.
  const clean = (named.split(/[/\\]/).at(-1) ?? '').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '').trim();
  const base = cutBytes(clean, 200) || `media-${item.id}`;
  const told = mediaTypeByExtension(base.split('.').at(-1) ?? '');
  return ext === undefined || told?.ext === ext ? base : `${base.replace(/\.[A-Za-z0-9]{1,5}$/, '')}.${ext}`;
}
