import { constants, inflateSync } from 'node:zlib';
import { mayHide, type PixelLayout } from './signature.ts';
import { unfilter } from './unfilter.ts';

/** How many compressed pixels are looked at: few at first, as every PNG pays for it, and more until enough rows have been seen. */
const LOOKS_BYTES = [256, 4 * 1024, 64 * 1024, 1024 * 1024];
const MAX_INFLATED_BYTES = 2 * 1024 * 1024;
/** Zlib makes at most 1032 bytes of one, so that these never unpack to too much. */
const SURE_BYTES = 2000;
/** Most compressed pixels kept of one file. */
const MAX_KEPT_BYTES = 6 * 1024 * 1024;
/** Rows whose first pixel is enough to tell. */
const MAX_ROWS = 64;

/** The compressed pixels of a picture that seems to hide a text. */
export interface HiddenPixels extends PixelLayout {
  compressed: Uint8Array;
  /** Whether the signature was seen. Of a picture with few rows it stands in too many columns for that. */
  certain: boolean;
}

/**
 * Looks at the first pixels of a PNG while it is streamed. Nearly every picture is ruled out by its first row; of the others the
 * compressed pixels are kept, up to 6 MiB.
 */
export class HiddenTextProbe {
  readonly #layout: PixelLayout;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #looked = 0;
  #open = true;
  #certain = false;
  /** The picture hides a text, and has more compressed pixels than are kept. */
  tooLarge = false;

  constructor(layout: PixelLayout) {
    this.#layout = layout;
  }

  /** Whether further pixels are of use. */
  get open(): boolean {
    return this.#open;
  }

  /** Takes the next compressed pixels; they are copied. */
  push(compressed: Uint8Array): void {
    if (!this.#open) return;
    this.#pieces.push(compressed.slice());
    this.#bytes += compressed.length;
    if (this.#bytes > MAX_KEPT_BYTES) {
      this.tooLarge = this.#certain;
      this.#give();
    }
    while (this.#open && !this.#certain && this.#bytes >= (LOOKS_BYTES[this.#looked] ?? Number.POSITIVE_INFINITY))
      this.#look();
  }

  /** What was kept; undefined when the picture hides nothing. */
  finish(): HiddenPixels | undefined {
    if (this.#open && !this.#certain) this.#look();
    if (!this.#open || this.#bytes === 0) return undefined;
    return { ...this.#layout, compressed: Buffer.concat(this.#pieces), certain: this.#certain };
  }

  #give(): void {
    this.#open = false;
    this.#pieces = [];
  }

  #look(): void {
    const start = Buffer.concat(this.#pieces).subarray(0, LOOKS_BYTES[this.#looked]);
    this.#looked += 1;
    const column = firstColumn(start, this.#layout);
    const verdict = column ? mayHide(column, this.#layout) : 'no';
    this.#certain = verdict === 'yes';
    if (verdict === 'no') this.#give();
  }
}

/** The first pixels of the rows that the beginning of the compressed pixels holds; undefined when it is broken. */
function firstColumn(compressed: Uint8Array, { width, height, channels }: PixelLayout): number[][] | undefined {
  const rows = unpack(compressed);
  if (!rows) return undefined;
  const stride = 1 + width * channels;
  const column: number[][] = [];
  let above = new Uint8Array(channels);
  for (let row = 0; row < Math.min(height, MAX_ROWS) && row * stride + 1 + channels <= rows.length; row += 1) {
    const pixel = rows.slice(row * stride + 1, row * stride + 1 + channels);
    unfilter(rows[row * stride] ?? 0, pixel, above, channels);
    column.push([...pixel]);
    above = pixel;
  }
  return column;
}

/** Unpacks as much of the beginning as is little enough when unpacked. */
function unpack(compressed: Uint8Array): Uint8Array | undefined {
  for (const most of [compressed.length, LOOKS_BYTES[1], SURE_BYTES]) {
    try {
      return inflateSync(compressed.subarray(0, most), {
        finishFlush: constants.Z_SYNC_FLUSH,
        maxOutputLength: MAX_INFLATED_BYTES,
      });
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ERR_BUFFER_TOO_LARGE') return undefined;
    }
  }
  return undefined;
}
