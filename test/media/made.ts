/** A small file, what it is, and what its headers say. */
export interface Made {
  name: string;
  file: Uint8Array;
  ext: string;
  width?: number;
  height?: number;
  durationMs?: number;
  /** As stored, where that is another size. */
  stored?: { width: number; height: number };
  /** The type by the whole file, where its beginning does not tell. */
  finalExt?: string;
  filename?: string;
}
