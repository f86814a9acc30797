/** A small file, what it is, and what its headers say. */
export interface Made {
  name: string;
  file: Uint8Array<ArrayBuffer>;
  ext: string;
  width?: number;
  height?: number;
  durationMs?: number;
  filename?: string;
}
