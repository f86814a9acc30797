import { create as contentDisposition } from 'content-disposition';
import type { DeliveredItem } from '../../db/items/delivery-row.ts';
import { mediaTypeByExtension, mediaTypeByMime } from '../../media/media-type.ts';
import { cutBytes } from '../../storage/keys.ts';
import { withoutControls } from '../items/text-limits.ts';

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
    contentDisposition: contentDisposition(fileName(item), {
      type: download || type?.inline !== true ? 'attachment' : 'inline',
    }),
  };
}

/** The name under which an item is saved: its own, with the extension of its type. */
export function fileName(item: DeliveredItem, ext = mediaTypeByMime(item.mimeType ?? '')?.ext): string {
  const named = item.filename ?? item.storageKey?.split('/').at(-1) ?? `media-${item.id}`;
  const base = cutBytes(withoutControls(named.split(/[/\\]/).at(-1) ?? ''), 200) || `media-${item.id}`;
  const end = /\.([A-Za-z0-9]+)$/.exec(base)?.[1] ?? '';
  const told = mediaTypeByExtension(end);
  if (ext === undefined || told?.ext === ext) return base;
  // What is no extension of a media type belongs to the name: `strength_0.5`.
  return `${told ? base.slice(0, -end.length - 1) : base}.${ext}`;
}
