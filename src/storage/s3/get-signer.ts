import type { S3RequestPresigner } from '@aws-sdk/s3-request-presigner';
import type { S3Bucket } from './client.ts';

/** The parts of a presigned GET besides its key and query; the same for all keys of a bucket. */
interface Place {
  presigner: S3RequestPresigner;
  protocol: string;
  hostname: string;
  port: number | undefined;
  /** Path of the bucket, with a slash at its end. */
  path: string;
  signingRegion: string;
  signingService: string;
}

/** A name without characters to escape. */
const PROBE = 'mediakeep';

export type GetSigner = (key: string, query: Record<string, string>, expiresIn: number) => Promise<string>;

/**
 * Signs GETs of one bucket with the SDK's signer alone. `getSignedUrl` resolves the endpoint and runs the command's whole
 * middleware for each URL, which is most of its time; here that is done once and its result reused. Undefined where signatures
 * are of another kind (directory buckets, several regions).
 */
export async function createGetSigner(s3: S3Bucket): Promise<GetSigner | undefined> {
  const place = await learn(s3);
  return place && ((key, query, expiresIn) => sign(place, key, query, expiresIn));
}

async function learn(s3: S3Bucket): Promise<Place | undefined> {
  const { S3RequestPresigner, getSignedUrl } = await import('@aws-sdk/s3-request-presigner');
  const command = new s3.sdk.GetObjectCommand({ Bucket: s3.name, Key: PROBE });
  const url = new URL(await getSignedUrl(s3.signer, command, { expiresIn: 60 }));
  const [, , signingRegion, signingService] = url.searchParams.get('X-Amz-Credential')?.split('/') ?? [];
  const usual =
    url.searchParams.get('X-Amz-Algorithm') === 'AWS4-HMAC-SHA256' &&
    !url.searchParams.has('X-Amz-S3session-Token') &&
    url.pathname.endsWith(`/${PROBE}`);
  if (!usual || signingRegion === undefined || signingService === undefined) return undefined;
  return {
    presigner: new S3RequestPresigner({ ...s3.signer.config, region: signingRegion }),
    protocol: url.protocol,
    hostname: url.hostname,
    port: url.port === '' ? undefined : Number(url.port),
    path: url.pathname.slice(0, -PROBE.length),
    signingRegion,
    signingService,
  };
}

async function sign(
  { presigner, protocol, hostname, port, path, signingRegion, signingService }: Place,
  key: string,
  query: Record<string, string>,
  expiresIn: number,
): Promise<string> {
  const host = port === undefined ? hostname : `${hostname}:${port}`;
  const escaped = path + key.split('/').map(escape).join('/');
  const signed = await presigner.presign(
    { method: 'GET', protocol, hostname, ...(port !== undefined && { port }), path: escaped, query, headers: { host } },
    { expiresIn, signingRegion, signingService },
  );
  const pairs = Object.entries(signed.query ?? {}).map(([name, value]) => `${escape(name)}=${escape(String(value))}`);
  return `${protocol}//${host}${escaped}?${pairs.join('&')}`;
}

/** Escapes as signatures require (RFC 3986): these five characters, too. */
function escape(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}
