import { create as contentDisposition } from 'content-disposition';
import type { DeliveredItem } from '../../db/items/delivery-row.ts';
import { mediaTypeByExtension, mediaTypeByMime } from '../../media/media-type.ts';
import { cutBytes } from '../../storage/keys.ts';

/** Headers of an item's bytes, whether the service or the store sends them. */
export interface ContentHeaders {
  contentType: string;
  contentDisposition: string;
}

/** The content type is one that this service knows; types that a browser could execute are served as attachments only. */
export function contentHeaders(item: DeliveredItem, download: boolean): ContentHeaders {
  const type = mediaTypeByMime(item.mimeType ?? '');
  return {
    // An unknown type (an older system's row may hold any text) is not sent to browsers.
    contentType: type?.mime ?? 'application/octet-stream',
    contentDisposition: contentDisposition(fileName(item, type?.ext), {
      type: download || type?.inline !== true ? 'attachment' : 'inline',
    }),
  };
}

function fileName(item: DeliveredItem, ext: string | undefined): string {
  const named = item.filename ?? item.storageKey?.split('/').at(-1) ?? `media-${item.id}`;
  // Characters that reorder text or end a header could disguise the extension.
  const clean = (named.split(/[/\\]/).at(-1) ?? '').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '').trim();
  const base = cutBytes(clean, 200) || `media-${item.id}`;
  const told = mediaTypeByExtension(base.split('.').at(-1) ?? '');
  return ext === undefined || told?.ext === ext ? base : `${base.replace(/\.[A-Za-z0-9]{1,5}$/, '')}.${ext}`;
}
