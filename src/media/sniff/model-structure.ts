import { hasText, latin1, u16le, u32le } from '../byte-order.ts';
import { binaryStlBytes } from '../inspect/model.ts';

/** GLB (glTF 2.0, 4.4): version 2 or 1, and a first chunk of JSON. */
export function isGlb(head: Uint8Array): boolean {
  if (!hasText(head, 0, 'glTF') || !(u32le(head, 8) >= 20)) return false;
  return u32le(head, 4) === 2 ? hasText(head, 16, 'JSON') : u32le(head, 4) === 1 && u32le(head, 16) === 0;
}

export function isFbx(head: Uint8Array): boolean {
  return hasText(head, 0, 'Kaydara FBX Binary  \0');
}

export function isPly(head: Uint8Array): boolean {
  if (!hasText(head, 0, 'ply')) return false;
  const text = Buffer.from(head.subarray(0, MAX_PLY_COMMENTS)).toString('latin1');
  return /^ply[ \t]*\r?[\n\r](?:(?:comment|obj_info)[^\n\r]*\r?[\n\r])*format +(?:ascii|binary_(?:little|big)_endian) +1\.0\s/.test(
    text,
  );
}

/** Exporters write comments, some of them long, before the line that says the format. */
const MAX_PLY_COMMENTS = 64 * 1024;

/** USDZ: a ZIP whose first entry is an uncompressed USD layer, so that it can be memory-mapped. */
export function isUsdz(head: Uint8Array): boolean {
  if (!hasText(head, 0, 'PK\x03\x04') || u16le(head, 8) !== 0 || (u16le(head, 6) & 1) !== 0) return false;
  const name = latin1(head, 30, u16le(head, 26));
  const data = 30 + u16le(head, 26) + u16le(head, 28);
  return /\.usd[ac]?$/i.test(name) && (hasText(head, data, 'PXR-USDC') || hasText(head, data, '#usda '));
}

/**
 * Binary STL has no signature: a comment of 80 bytes, the number of triangles, 50 bytes for each. A whole file must have
 * that length. For a part, the triangles in it must be plausible, and the inspector checks the length at the end.
 * @param named the name or declared type says STL: then any finite numbers are plausible
 */
export function isBinaryStl(head: Uint8Array, complete: boolean, named: boolean): boolean {
  const count = u32le(head, 80);
  if (complete ? head.length !== binaryStlBytes(count) : !(head.length <= binaryStlBytes(count))) return false;
  if (count === 0) return named;
  const shown = Math.min(count, named ? 64 : MAX_TRIANGLES, Math.floor((head.length - 84) / 50));
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  let corners = 0;
  for (let i = 0; i < shown; i++) {
    const numbers = Array.from({ length: 12 }, (_value, j) => view.getFloat32(84 + 50 * i + 4 * j, true));
    if (!numbers.every(named ? Number.isFinite : isPlausible)) return false;
    // The normal is a unit vector, or zero.
    if (!named && numbers.slice(0, 3).some((part) => Math.abs(part) > 1.01)) return false;
    if (numbers.slice(3).some((part) => part !== 0)) corners += 1;
  }
  return shown > 0 && (named || complete || corners * 2 > shown);
}
/** Of a part without a name: as many as fit the first bytes of a file. */
const MAX_TRIANGLES = 1300;

/** A coordinate as people model things. Bytes that are no floats are hardly ever such for long. */
function isPlausible(value: number): boolean {
  return value === 0 || (Math.abs(value) > 1e-30 && Math.abs(value) < 1e12);
}

export function isAsciiStl(text: string): boolean {
  return /^\s{0,64}solid\b[^\n]{0,1024}\n\s{0,1024}facet\s{1,64}normal\s/i.test(text.slice(0, 4096));
}

const OBJ_STATEMENT =
  /^(v|vt|vn|vp|f|l|p|o|g|s|mg|usemtl|mtllib|usemap|maplib|cstype|deg|bmat|step|curv|curv2|surf|parm|trim|hole|scrv|sp|end|con|bevel|c_interp|d_interp|lod|shadow_obj|trace_obj|ctech|stech|call|csh|bzp|bsp|cdc|cdp|res|fo|con|vcolor)(\s|$)/;
/** Exporters write broken coordinates as `nan`, and Windows as `-1.#IND`. */
const NUMBER = String.raw`[+-]?(?:\d+(?:\.\d*)?|\.\d+|nan|inf|1\.#(?:IND|INF|QNAN)0*)(?:[eE][+-]?\d+)?`;
const OBJ_VERTEX = new RegExp(String.raw`^v(?:\s+${NUMBER}){3,8}\s*(?:#.*)?$`, 'i');

/**
 * Wavefront OBJ has no signature. So the file's name must say OBJ, every complete line must be an OBJ statement, and there
 * must be a vertex. `complete`: the text is the whole file, so its last line is complete too.
 */
export function isObj(text: string, complete: boolean): boolean {
  const lines = text.split(/\r?\n/);
  if (!complete) lines.pop();
  let vertices = 0;
  let continued = false;
  for (const line of lines) {
    const statement = line.trim();
    const follows = continued;
    continued = statement.endsWith('\\');
    if (follows || statement === '' || statement.startsWith('#')) continue;
    if (!OBJ_STATEMENT.test(statement)) return false;
    if (/^v\s/.test(statement) && !continued) {
      if (statement.length > 1024 || !OBJ_VERTEX.test(statement)) return false;
      vertices++;
    }
  }
  return vertices > 0;
}
