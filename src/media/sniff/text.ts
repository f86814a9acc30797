import { findGltfAsset, isGltf } from '../gltf-asset.ts';
import { isAsciiStl, isObj } from './model-structure.ts';
import { isAsciiFbx, isColladaRoot, isUsda } from './scene-structure.ts';
import { isSvgRoot, xmlRoot } from '../xml-root.ts';

/** The result for a text: a media extension, the MIME type of something else, or undecided. */
export type TextVerdict = { ext: string } | { detected: string } | 'more';

const HTML =
  /^(!doctype\s+html|(html|head|body|script|style|title|meta|link|iframe|div|p|a|img|table|h[1-6]|br|form)[\s/>])/i;

/**
 * Recognises a text by its content. `named` is the extension of the file's name or declared type. It matters only for OBJ,
 * which has no signature, and for how far to search for the `asset` of a glTF.
 */
export function sniffText(text: string, complete: boolean, named: string | undefined): TextVerdict {
  const start = text.slice(0, 1024).trimStart();
  if (start.startsWith('<')) return sniffMarkup(text, start, complete);
  if (start.startsWith('{')) return sniffJson(text, complete, named === 'gltf');
  if (isAsciiStl(text)) return { ext: 'stl' };
  if (isAsciiFbx(text)) return { ext: 'fbx' };
  const usda = isUsda(text, complete);
  if (usda !== false) return usda === 'more' ? 'more' : { ext: 'usda' };
  if (named === 'obj' && isObj(text, complete)) return { ext: 'obj' };
  if (start.startsWith('[') && complete && isJson(text)) return { detected: 'application/json' };
  if (start === '' && !complete) return 'more';
  return { detected: 'text/plain' };
}

function sniffMarkup(text: string, start: string, complete: boolean): TextVerdict {
  if (HTML.test(start.slice(1))) return { detected: 'text/html' };
  const root = xmlRoot(text);
  if (root === 'cut' && !complete) return 'more';
  if (typeof root === 'string') return { detected: start.startsWith('<?xml') ? 'application/xml' : 'text/plain' };
  if (isSvgRoot(root)) return { ext: 'svg' };
  if (isColladaRoot(root)) return { ext: 'dae' };
  return { detected: root.doctype === 'html' || HTML.test(`${root.name} `) ? 'text/html' : 'application/xml' };
}

function sniffJson(text: string, complete: boolean, named: boolean): TextVerdict {
  const asset = findGltfAsset(text);
  if (asset === 'found') return !complete || isGltf(text) ? { ext: 'gltf' } : { detected: 'text/plain' };
  if (asset === 'not yet' && named && !complete) return 'more';
  return { detected: !complete || isJson(text) ? 'application/json' : 'text/plain' };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
