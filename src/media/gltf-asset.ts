/**
 * Looks for `asset.version` of a glTF document (glTF 2.0, 5.9) at the beginning of JSON that may be truncated. One pass
 * over the characters tracks strings and depth. `no`: the text is not an object.
 */
export function findGltfAsset(text: string): 'found' | 'not yet' | 'no' {
  let depth = 0;
  let key = '';
  let inAsset = false;
  const start = text.search(/\S/);
  if (start === -1 || text[start] !== '{') return 'no';
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (char === '{' || char === '[') {
      depth++;
      if (depth === 2) inAsset = char === '{' && key === 'asset';
    } else if (char === '}' || char === ']') {
      depth--;
      if (depth < 2) inAsset = false;
      if (depth === 0) return 'no';
    } else if (char === '"') {
      const end = afterString(text, at);
      if (end === -1) return 'not yet';
      if (depth <= 2 && /^\s*:/.test(text.slice(end, end + 16))) key = text.slice(at + 1, end - 1);
      else if (inAsset && depth === 2 && key === 'version' && /^"\d+\.\d+"$/.test(text.slice(at, end))) return 'found';
      at = end - 1;
    }
  }
  return 'not yet';
}

function afterString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
  return -1;
}

/** Whether a whole text is a glTF document. */
export function isGltf(text: string): boolean {
  try {
    const document: unknown = JSON.parse(text);
    if (typeof document !== 'object' || document === null || !('asset' in document)) return false;
    const { asset } = document;
    return typeof asset === 'object' && asset !== null && 'version' in asset && typeof asset.version === 'string';
  } catch {
    return false;
  }
}
