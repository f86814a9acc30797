import type { ExternalSource } from '../bytes/source.ts';
import type { ItemInput } from '../items/item-fields.ts';

/** One line of a file of records: the JSON body of POST /v1/media, with some additions. */
export interface ImportRecord extends ItemInput {
  source?:
    | { type: 'base64'; data: string }
    | { type: 'url'; url: string }
    | { type: 'object'; store: string; key: string }
    /** An absolute path below a store's folder or one of its MOUNT_ALIASES, or a key in a store. */
    | { type: 'path'; path: string }
    | ExternalSource
    | undefined;
  /** Whether this version of its scene becomes the current one; by default the last does. */
  isCurrent?: boolean | undefined;
}
