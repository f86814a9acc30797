import { latin1, u16be, u32be, u64be, u8 } from './byte-order.ts';

/** The position of an item's bytes in the file. */
export interface ItemPlace {
  item: number;
  offset: number;
  bytes: number;
}

const MAX_ITEMS = 4096;

/** Reads `infe`, the entry of an item (ISO/IEC 14496-12 8.11.6): its id and its type. Versions before 2 have no type. */
export function itemType(body: Uint8Array): { item: number; type: string } | undefined {
  const version = u8(body, 0);
  if (version === 2) return { item: u16be(body, 4), type: latin1(body, 8, 4) };
  return version === 3 ? { item: u32be(body, 4), type: latin1(body, 10, 4) } : undefined;
}

/** Reads `iloc` (8.11.3): the items that are stored in one piece in this file. */
export function itemPlaces(body: Uint8Array): ItemPlace[] {
  const version = u8(body, 0);
  let at = 6;
  const read = (size: number): number => {
    const value = size === 0 ? 0 : size === 4 ? u32be(body, at) : size === 8 ? u64be(body, at) : Number.NaN;
    at += size;
    return value;
  };
  const u16 = (): number => {
    at += 2;
    return u16be(body, at - 2);
  };
  const [offsetSize, lengthSize] = [u8(body, 4) >> 4, u8(body, 4) & 15];
  const [baseSize, indexSize] = [u8(body, 5) >> 4, version > 0 ? u8(body, 5) & 15 : 0];
  const count = version < 2 ? u16() : read(4);
  const places: ItemPlace[] = [];
  for (let i = 0; i < Math.min(count, MAX_ITEMS) && at < body.length; i++) {
    const item = version < 2 ? u16() : read(4);
    const inFile = version === 0 || (u16() & 15) === 0;
    at += 2; // data_reference_index
    const base = read(baseSize);
    const extents = u16();
    for (let j = 0; j < extents && at < body.length; j++) {
      at += indexSize;
      const offset = base + read(offsetSize);
      const bytes = read(lengthSize);
      if (inFile && extents === 1 && offset >= 0 && bytes > 0) places.push({ item, offset, bytes });
    }
  }
  return places;
}
