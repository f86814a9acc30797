/**
 * Some tools hide how a picture was made in the lowest bits of its pixels, where sites that remove texts leave it ("stealth
 * pnginfo", first of NovelAI): a signature, the length of the text in bits as 32 bits, and the text, plain or gzipped. The bits
 * stand column by column, in alpha, or in red, green and blue.
 */
export const SIGNATURES = ['stealth_pnginfo', 'stealth_pngcomp', 'stealth_rgbinfo', 'stealth_rgbcomp'] as const;
export const SIGNATURE_BYTES = 15;
/** What all signatures begin with, as bits. */
const COMMON_BITS = [...Buffer.from('stealth_')].flatMap((byte) =>
  Array.from({ length: 8 }, (_v, bit) => (byte >> (7 - bit)) & 1),
);

/** A PNG of eight bits a channel that is not interlaced. */
export interface PixelLayout {
  width: number;
  height: number;
  /** Bytes of a pixel: 3 without alpha, 4 with it. */
  channels: 3 | 4;
}

/**
 * Whether the pixels of the first column, from the top, may begin a hidden text. `yes`: enough of the signature stands there;
 * `maybe`: nothing speaks against it so far.
 */
export function mayHide(column: readonly (readonly number[])[], { channels }: PixelLayout): 'yes' | 'maybe' | 'no' {
  const inAlpha = channels === 4 ? column.map((pixel) => (pixel[3] ?? 0) & 1) : undefined;
  const inColours = column.flatMap((pixel) => pixel.slice(0, 3).map((value) => value & 1));
  let verdict: 'maybe' | 'no' = 'no';
  for (const bits of [inAlpha, inColours]) {
    const known = bits?.slice(0, COMMON_BITS.length);
    if (!known || known.some((bit, at) => bit !== COMMON_BITS[at])) continue;
    if (known.length >= ENOUGH_BITS) return 'yes';
    verdict = 'maybe';
  }
  return verdict;
}
/** One picture in 16 million has these bits by chance. */
const ENOUGH_BITS = 24;
