import { parse } from 'content-disposition';

/**
 * The file name that a response suggests: from Content-Disposition (RFC 6266; `filename*` wins), else the last segment
 * of the URL's path. Percent-decoded, a base name without control characters, well-formed Unicode, of any length.
 *
 * @param contentDisposition the header's value, its bytes read as Latin-1, as Node and undici do
 * @returns undefined when no usable name is left
 */
export function suggestedFilename(contentDisposition: string | undefined, url: URL): string | undefined {
  return fromHeader(contentDisposition) ?? baseName(percentDecoded(url.pathname.split('/').at(-1) ?? ''));
}

function fromHeader(contentDisposition: string | undefined): string | undefined {
  if (contentDisposition === undefined) return undefined;
  const name = parse(contentDisposition).parameters['filename'];
  return name === undefined ? undefined : baseName(utf8WhenItIs(name));
}

/** Many servers send UTF-8 in `filename="…"`, against the RFC. It was read as Latin-1. */
function utf8WhenItIs(text: string): string {
  // A name with characters beyond Latin-1 came from `filename*` and is already decoded.
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

/** Backslashes separate folders too: the header may come from Windows, or from an attacker. */
function baseName(path: string): string | undefined {
  const name = (path.split(/[/\\]/).at(-1) ?? '')
    .replaceAll(/\p{Cc}/gu, '')
    .toWellFormed()
    .trim();
  return name === '' || name === '.' || name === '..' ? undefined : name;
}
