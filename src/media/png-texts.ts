import { u8 } from './byte-order.ts';
import { decodeUtf8OrLatin1, type EmbeddedTexts } from './embedded-texts.ts';

/** Adds the text of a `tEXt`, `zTXt` or `iTXt` chunk (PNG 11.3.3), or of ComfyUI's `comf`. */
export function addPngText(texts: EmbeddedTexts, type: string, data: Uint8Array): void {
  const keywordEnd = data.subarray(0, 80).indexOf(0);
  if (keywordEnd <= 0) return texts.note(`a ${type} chunk has no keyword`);
  const keyword = decodeUtf8OrLatin1(data.subarray(0, keywordEnd));
  if (type === 'tEXt' || type === 'comf')
    return texts.add(nameOf(keyword), decodeUtf8OrLatin1(data.subarray(keywordEnd + 1)));
  let compressed = true;
  let start = keywordEnd + 2; // the compression method
  if (type === 'iTXt') {
    compressed = u8(data, keywordEnd + 1) === 1;
    const languageEnd = data.indexOf(0, keywordEnd + 3);
    const translationEnd = languageEnd < 0 ? -1 : data.indexOf(0, languageEnd + 1);
    if (translationEnd < 0) return texts.note(`the text '${keyword}' ends in the middle`);
    start = translationEnd + 1;
  }
  const body = data.subarray(start);
  const plain = compressed ? texts.inflate(`the text '${keyword}'`, body) : body;
  if (plain) texts.add(nameOf(keyword), decodeUtf8OrLatin1(plain));
}

function nameOf(keyword: string): string {
  return keyword === 'XML:com.adobe.xmp' ? 'XMP' : keyword;
}
