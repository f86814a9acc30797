import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { S3Failure } from './failure.ts';

export interface S3Keys {
  accessKeyId: string;
  secretAccessKey: string;
  /** Required with every request if set. */
  sessionToken?: string;
}

export interface SignedRequest {
  method: string;
  /** Path and query as received. */
  url: string;
  headers: IncomingHttpHeaders;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const MAX_SKEW_MS = 15 * 60_000;
const MAX_EXPIRES = 604_800;

/**
 * Checks the signature (AWS Signature Version 4) of a request, in its header or its query. Returns the SHA-256 that its body must
 * have, or undefined when the body is not signed.
 * @throws S3Failure with the code that S3 uses
 */
export function verifySignature(
  request: SignedRequest,
  keys: readonly S3Keys[],
  region: string,
  now: Date = new Date(),
): string | undefined {
  const [path, search] = splitOnce(request.url, '?');
  const query =
    search === '' ? [] : search.split('&').map((pair) => splitOnce(pair, '=').map(decode) as [string, string]);
  const fromQuery = (name: string) => query.find(([key]) => key.toLowerCase() === name)?.[1];
  const presigned = fromQuery('x-amz-algorithm') !== undefined;
  const claim = presigned ? presignedClaim(fromQuery) : headerClaim(request.headers);
  const [accessKeyId, date, claimedRegion, service, end] = claim.credential.split('/');
  const key = keys.find((each) => each.accessKeyId === accessKeyId);
  if (!key) throw new S3Failure(403, 'InvalidAccessKeyId');
  if (service !== 's3' || end !== 'aws4_request' || date !== claim.time.slice(0, 8))
    throw new S3Failure(400, 'AuthorizationHeaderMalformed', 'wrong scope');
  if (claimedRegion !== region)
    throw new S3Failure(
      400,
      'AuthorizationHeaderMalformed',
      `the region '${claimedRegion}' is wrong; expecting '${region}'`,
    );
  checkTime(claim, now);
  if (key.sessionToken !== claim.token) throw new S3Failure(400, 'InvalidToken');
  checkSignedHeaders(request.headers, claim.signedHeaders, presigned);

  const payload = presigned ? 'UNSIGNED-PAYLOAD' : single(request.headers['x-amz-content-sha256']);
  if (payload === undefined) throw new S3Failure(400, 'InvalidRequest', 'x-amz-content-sha256 is missing');
  if (payload.startsWith('STREAMING-')) throw new S3Failure(501, 'NotImplemented', 'no chunked signatures');
  const canonical = [
    request.method,
    path
      .split('/')
      .map((segment) => encode(decode(segment)))
      .join('/'),
    query
      .filter(([name]) => name !== 'X-Amz-Signature')
      .map(([name, value]) => [encode(name), encode(value)] as const)
      .toSorted(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)))
      .map((pair) => pair.join('='))
      .join('&'),
    ...claim.signedHeaders.map((name) => `${name}:${headerValue(request.headers, name)}`),
    '',
    claim.signedHeaders.join(';'),
    payload,
  ].join('\n');
  const scope = `${date}/${region}/s3/aws4_request`;
  const toSign = [ALGORITHM, claim.time, scope, sha256(canonical)].join('\n');
  const signing = [date, region, 's3', 'aws4_request'].reduce<Buffer>(
    (secret, part) =>
      createHmac('sha256', secret)
        .update(part ?? '')
        .digest(),
    Buffer.from(`AWS4${key.secretAccessKey}`),
  );
  const expected = createHmac('sha256', signing).update(toSign).digest();
  const given = Buffer.from(claim.signature, 'hex');
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    throw new S3Failure(403, 'SignatureDoesNotMatch');
  return payload === 'UNSIGNED-PAYLOAD' ? undefined : payload;
}

interface Claim {
  credential: string;
  /** As `20261121T051855Z`. */
  time: string;
  /** Seconds; undefined with a signature in the header. */
  expires: number | undefined;
  signedHeaders: string[];
  signature: string;
  token: string | undefined;
}

function presignedClaim(fromQuery: (name: string) => string | undefined): Claim {
  const need = (name: string) => {
    const value = fromQuery(name);
    if (value === undefined) throw new S3Failure(400, 'AuthorizationQueryParametersError', `${name} is missing`);
    return value;
  };
  if (need('x-amz-algorithm') !== ALGORITHM) throw new S3Failure(400, 'AuthorizationQueryParametersError');
  const expires = Number(need('x-amz-expires'));
  if (!Number.isInteger(expires) || expires < 1 || expires > MAX_EXPIRES)
    throw new S3Failure(400, 'AuthorizationQueryParametersError', 'X-Amz-Expires must be less than a week');
  return {
    credential: need('x-amz-credential'),
    time: need('x-amz-date'),
    expires,
    signedHeaders: need('x-amz-signedheaders').split(';'),
    signature: need('x-amz-signature'),
    token: fromQuery('x-amz-security-token'),
  };
}

function headerClaim(headers: IncomingHttpHeaders): Claim {
  const authorization = headers.authorization;
  if (authorization === undefined) throw new S3Failure(403, 'AccessDenied', 'no anonymous requests');
  const match = /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
    authorization,
  );
  if (!match) throw new S3Failure(400, 'AuthorizationHeaderMalformed');
  const [, credential = '', signed = '', signature = ''] = match;
  return {
    credential,
    time: single(headers['x-amz-date']) ?? '',
    expires: undefined,
    signedHeaders: signed.split(';'),
    signature,
    token: single(headers['x-amz-security-token']),
  };
}

function checkTime(claim: Claim, now: Date): void {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(claim.time);
  if (!match) throw new S3Failure(403, 'AccessDenied', 'X-Amz-Date is missing');
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const signed = Date.UTC(year, month - 1, day, hour, minute, second);
  if (signed > now.getTime() + MAX_SKEW_MS) throw new S3Failure(403, 'RequestTimeTooSkewed');
  if (claim.expires === undefined) {
    if (signed < now.getTime() - MAX_SKEW_MS) throw new S3Failure(403, 'RequestTimeTooSkewed');
  } else if (now.getTime() > signed + claim.expires * 1000)
    throw new S3Failure(403, 'AccessDenied', 'Request has expired');
}

/** The signature must cover `host` and every x-amz- header, in order. */
function checkSignedHeaders(headers: IncomingHttpHeaders, signed: readonly string[], presigned: boolean): void {
  const required = ['host', ...Object.keys(headers).filter((name) => name.startsWith('x-amz-'))];
  if (!presigned && headers['content-type'] !== undefined) required.push('content-type');
  for (const name of required)
    if (!signed.includes(name)) throw new S3Failure(403, 'AccessDenied', `the header ${name} is not signed`);
  if (signed.join(';') !== signed.toSorted().join(';'))
    throw new S3Failure(403, 'SignatureDoesNotMatch', 'headers out of order');
}

function headerValue(headers: IncomingHttpHeaders, name: string): string {
  return (single(headers[name]) ?? '').trim().replace(/ +/g, ' ');
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(',') : value;
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Failure(400, 'InvalidURI');
  }
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
