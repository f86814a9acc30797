/** Pieces of binary files: text is Latin-1, numbers are single bytes. */
export function bytes(...parts: (string | number | Uint8Array | number[])[]): Uint8Array<ArrayBuffer> {
  const pieces = parts.map((part) => {
    if (typeof part === 'string') return Buffer.from(part, 'latin1');
    return typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part);
  });
  return new Uint8Array(Buffer.concat(pieces));
}

function number(count: number, write: (buffer: Buffer) => void): Uint8Array {
  const buffer = Buffer.alloc(count);
  write(buffer);
  return buffer;
}

export const be16 = (value: number): Uint8Array => number(2, (b) => b.writeUInt16BE(value));
export const be32 = (value: number): Uint8Array => number(4, (b) => b.writeUInt32BE(value));
export const be64 = (value: number | bigint): Uint8Array => number(8, (b) => b.writeBigUInt64BE(BigInt(value)));
export const le16 = (value: number): Uint8Array => number(2, (b) => b.writeUInt16LE(value));
export const le24 = (value: number): Uint8Array => number(3, (b) => b.writeUIntLE(value, 0, 3));
export const le32 = (value: number): Uint8Array => number(4, (b) => b.writeUInt32LE(value));
export const zeros = (count: number): Uint8Array => new Uint8Array(count);
export const utf8 = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(text, 'utf8'));
