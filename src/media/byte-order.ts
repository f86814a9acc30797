/**
 * Reads numbers and text at a byte offset. A read beyond the end gives NaN (or a shorter text), never an error. Comparisons
 * with NaN are false, so a check of a truncated structure fails without a bounds test.
 */
export function u8(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? Number.NaN;
}

export function u16be(bytes: Uint8Array, at: number): number {
  return u8(bytes, at) * 256 + u8(bytes, at + 1);
}

export function u16le(bytes: Uint8Array, at: number): number {
  return u8(bytes, at) + u8(bytes, at + 1) * 256;
}

export function u24be(bytes: Uint8Array, at: number): number {
  return u8(bytes, at) * 65536 + u16be(bytes, at + 1);
}

export function u24le(bytes: Uint8Array, at: number): number {
  return u16le(bytes, at) + u8(bytes, at + 2) * 65536;
}

export function u32be(bytes: Uint8Array, at: number): number {
  return u16be(bytes, at) * 65536 + u16be(bytes, at + 2);
}

export function u32le(bytes: Uint8Array, at: number): number {
  return u16le(bytes, at) + u16le(bytes, at + 2) * 65536;
}

/** Above 2^53 the value is rounded, which is harmless: no file is that long. */
export function u64be(bytes: Uint8Array, at: number): number {
  return u32be(bytes, at) * 2 ** 32 + u32be(bytes, at + 4);
}

export function u64le(bytes: Uint8Array, at: number): number {
  return u32le(bytes, at) + u32le(bytes, at + 4) * 2 ** 32;
}

export function latin1(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + Math.min(length, 4096)));
}

/** Whether the bytes at `at` are the characters of `text` (Latin-1). */
export function hasText(bytes: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}
