import type { ItemInput } from '../items/item-fields.ts';

/** One line of a file of records: what POST /v1/media takes as JSON, and a little more. */
export interface ImportRecord extends ItemInput {
  source?:
    | { type: 'base64'; data: string }
    | { type: 'url'; url: string }
    | { type: 'object'; store: string; key: string }
    /** An absolute path below a store's folder or one of its MOUNT_ALIASES, or a key in a store. */
    | { type: 'path'; path: string }
    | { type: 'external'; storageUrl: string; storageProvider: string }
    | undefined;
  /** Of the versions of a scene, the one that is to be current in the end; else it is the last. */
  isCurrent?: boolean | undefined;
}
