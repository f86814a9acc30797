import { parse } from 'content-disposition';

/**
 * The name that a response suggests for its file: from Content-Disposition (RFC 6266; `filename*` wins), else the
 * last segment of the URL's path. Percent-decoded, only the base name, without control characters, well-formed
 * Unicode; of any length. Undefined when nothing usable is left.
 *
 * @param contentDisposition the header's value with its bytes as Latin-1, as Node and undici give it
 */
export function suggestedFilename(contentDisposition: string | undefined, url: URL): string | undefined {
  return fromHeader(contentDisposition) ?? baseName(percentDecoded(url.pathname.split('/').at(-1) ?? ''));
}

function fromHeader(contentDisposition: string | undefined): string | undefined {
  if (contentDisposition === undefined) return undefined;
  const name = parse(contentDisposition).parameters['filename'];
  return name === undefined ? undefined : baseName(utf8WhenItIs(name));
}

/** Many servers put UTF-8 into `filename="…"`, where the RFC has no place for it; it arrives as Latin-1. */
function utf8WhenItIs(text: string): string {
  // A name from `filename*` may hold characters that no Latin-1 byte stands for: it is decoded already.
  if (!/[\x80-\xff]/.test(text) || /[^\0-\xff]/.test(text)) return text;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(text, 'latin1'));
  } catch {
    return text;
  }
}

function percentDecoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** Backslashes separate too: the header may come from Windows, or from somebody who hopes that we run there. */
function baseName(path: string): string | undefined {
  const name = (path.split(/[/\\]/).at(-1) ?? '')
    .replaceAll(/\p{Cc}/gu, '')
    .toWellFormed()
    .trim();
  return name === '' || name === '.' || name === '..' ? undefined : name;
}
