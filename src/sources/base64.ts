import { AppError } from '../errors.ts';

export interface DecodedData {
  bytes: Buffer;
  /** The type that a data URI claims; a claim, not a finding. */
  declaredType: string | undefined;
}

/**
 * Decodes base64 (white space and the URL-safe alphabet allowed, padding optional) or a data URI (RFC 2397, base64 or not).
 * @throws AppError invalid_base64, file_missing when nothing comes out
 */
export function decodeData(data: string): DecodedData {
  const uri = /^\s*data:([^,]{0,500}),/i.exec(data);
  const decoded = uri
    ? decodeDataUri(data.slice(uri[0].length), uri[1] ?? '')
    : { bytes: decodeBase64(data), declaredType: undefined };
  if (decoded.bytes.length === 0)
    throw new AppError('file_missing', 'The data is empty; send the bytes of a file.', { field: 'source.data' });
  return decoded;
}

function decodeDataUri(payload: string, head: string): DecodedData {
  const [type = '', ...parameters] = head.split(';').map((part) => part.trim());
  const declaredType = type === '' ? undefined : type.toLowerCase();
  if (parameters.some((parameter) => parameter.toLowerCase() === 'base64'))
    return { bytes: decodeBase64(payload), declaredType };
  try {
    return { bytes: Buffer.from(decodeURIComponent(payload)), declaredType };
  } catch (error) {
    throw invalid('the data URI has a broken percent escape', error);
  }
}

function decodeBase64(text: string): Buffer {
  const compact = text.replace(/[\t\n\f\r ]+/g, '');
  const match = /^([A-Za-z0-9+/_-]*)(={0,2})$/.exec(compact);
  if (!match) throw invalid('it holds a character that is not base64');
  const [, digits = '', padding = ''] = match;
  const rest = digits.length % 4;
  if (rest === 1 || (padding !== '' && (rest + padding.length) % 4 !== 0))
    throw invalid('its length or padding is wrong; it may have been cut off');
  // Buffer takes the URL-safe alphabet as well, and needs no padding.
  return Buffer.from(digits, 'base64');
}

function invalid(reason: string, cause?: unknown): AppError {
  return new AppError('invalid_base64', `The base64 data cannot be decoded: ${reason}.`, {
    field: 'source.data',
    cause,
  });
}
