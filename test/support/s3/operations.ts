import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { crc32 } from 'node:zlib';
import { MemoryBucket, type StoredObject, inOrder } from './buckets.ts';
import { S3Failure, escapeXml } from './failure.ts';

export interface S3Request {
  operation: S3Operation;
  bucket: string;
  key: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface S3Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

export type S3Operation = keyof typeof OPERATIONS;
type Buckets = Map<string, MemoryBucket>;

const xml = (text: string, status = 200): S3Answer => ({
  status,
  headers: { 'content-type': 'application/xml' },
  body: Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${text}`),
});
const empty = (status: number, headers: Record<string, string> = {}): S3Answer => ({
  status,
  headers,
  body: Buffer.alloc(0),
});

function bucketOf(buckets: Buckets, { bucket }: S3Request): MemoryBucket {
  const found = buckets.get(bucket);
  if (!found) throw new S3Failure(404, 'NoSuchBucket');
  return found;
}

const OPERATIONS = {
  CreateBucket(buckets: Buckets, { bucket }: S3Request) {
    if (!/^[a-z0-9][a-z0-9.-]{2,62}$/.test(bucket)) throw new S3Failure(400, 'InvalidBucketName');
    if (buckets.has(bucket)) throw new S3Failure(409, 'BucketAlreadyOwnedByYou');
    buckets.set(bucket, new MemoryBucket());
    return empty(200);
  },
  HeadBucket(buckets: Buckets, request: S3Request) {
    bucketOf(buckets, request);
    return empty(200);
  },
  PutBucketCors(buckets: Buckets, request: S3Request) {
    const rules = [...String(request.body).matchAll(/<CORSRule>(.*?)<\/CORSRule>/gs)].map(([, rule = '']) => {
      const all = (name: string) =>
        [...rule.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'g'))].map((match) => match[1] ?? '');
      return {
        origins: all('AllowedOrigin'),
        methods: all('AllowedMethod'),
        headers: all('AllowedHeader').map((name) => name.toLowerCase()),
        expose: all('ExposeHeader'),
      };
    });
    if (rules.length === 0) throw new S3Failure(400, 'MalformedXML');
    bucketOf(buckets, request).cors = rules;
    return empty(200);
  },
  ListObjectsV2(buckets: Buckets, request: S3Request) {
    const { query } = request;
    const prefix = query.get('prefix') ?? '';
    const after = query.get('continuation-token') ?? query.get('start-after') ?? '';
    const limit = Math.min(Number(query.get('max-keys') ?? 1000), 1000);
    const bucket = bucketOf(buckets, request);
    const all = inOrder(bucket.objects.keys()).filter(
      (key) => key.startsWith(prefix) && Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0,
    );
    const page = all.slice(0, limit);
    const name = nameFor(query);
    const contents = page.map((key) => {
      const { etag, body, modified } = bucket.find(key);
      return `<Contents><Key>${name(key)}</Key><LastModified>${modified.toISOString()}</LastModified><ETag>&quot;${etag}&quot;</ETag><Size>${body.length}</Size></Contents>`;
    });
    const more = all.length > page.length;
    return xml(
      `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${query.has('encoding-type') ? '<EncodingType>url</EncodingType>' : ''}<KeyCount>${page.length}</KeyCount><IsTruncated>${more}</IsTruncated>${more ? `<NextContinuationToken>${name(page.at(-1) ?? '')}</NextContinuationToken>` : ''}${contents.join('')}</ListBucketResult>`,
    );
  },
  ListMultipartUploads(buckets: Buckets, request: S3Request) {
    const prefix = request.query.get('prefix') ?? '';
    const name = nameFor(request.query);
    const { uploads } = bucketOf(buckets, request);
    const found = [...uploads].filter(([, upload]) => upload.key.startsWith(prefix));
    return xml(
      `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>${found
        .map(([id, upload]) => `<Upload><Key>${name(upload.key)}</Key><UploadId>${id}</UploadId></Upload>`)
        .join('')}</ListMultipartUploadsResult>`,
    );
  },
  PutObject(buckets: Buckets, request: S3Request) {
    const stored = bucketOf(buckets, request).put(request.key, request.body, about(request), onlyNew(request));
    return empty(200, { etag: `"${stored.etag}"` });
  },
  HeadObject(buckets: Buckets, request: S3Request) {
    const found = bucketOf(buckets, request).find(request.key);
    return { status: 200, headers: headersOf(found, request), body: found.body };
  },
  GetObject(buckets: Buckets, request: S3Request) {
    const found = bucketOf(buckets, request).find(request.key);
    const headers = headersOf(found, request);
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    if (!range) return { status: 200, headers, body: found.body };
    const start = Number(range[1]);
    const end = Math.min(range[2] === '' ? Infinity : Number(range[2]), found.body.length - 1);
    if (start > end) throw new S3Failure(416, 'InvalidRange');
    headers['content-range'] = `bytes ${start}-${end}/${found.body.length}`;
    return { status: 206, headers, body: found.body.subarray(start, end + 1) };
  },
  DeleteObject(buckets: Buckets, request: S3Request) {
    bucketOf(buckets, request).objects.delete(request.key);
    return empty(204);
  },
  CreateMultipartUpload(buckets: Buckets, request: S3Request) {
    const id = bucketOf(buckets, request).begin(request.key, about(request));
    return xml(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
  },
  UploadPart(buckets: Buckets, request: S3Request) {
    const { query, key, body } = request;
    const etag = bucketOf(buckets, request).putPart(
      query.get('uploadId') ?? '',
      key,
      Number(query.get('partNumber')),
      body,
    );
    return empty(200, { etag: `"${etag}"` });
  },
  CompleteMultipartUpload(buckets: Buckets, request: S3Request) {
    const named = [...String(request.body).matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = '']) => ({
      number: Number(/<PartNumber>(\d+)<\/PartNumber>/.exec(part)?.[1]),
      etag: /<ETag>(?:&quot;|")?([0-9a-f]+)/.exec(part)?.[1] ?? '',
    }));
    const id = request.query.get('uploadId') ?? '';
    const stored = bucketOf(buckets, request).complete(id, request.key, named, onlyNew(request));
    return xml(
      `<CompleteMultipartUploadResult><ETag>&quot;${stored.etag}&quot;</ETag></CompleteMultipartUploadResult>`,
    );
  },
  AbortMultipartUpload(buckets: Buckets, request: S3Request) {
    const bucket = bucketOf(buckets, request);
    const id = request.query.get('uploadId') ?? '';
    bucket.upload(id, request.key);
    bucket.uploads.delete(id);
    return empty(204);
  },
} satisfies Record<string, (buckets: Buckets, request: S3Request) => S3Answer>;

/** @throws S3Failure */
export function perform(buckets: Buckets, request: S3Request): S3Answer {
  checkDigest(request);
  return OPERATIONS[request.operation](buckets, request);
}

/** The operation of a method, a key and a query. @throws S3Failure NotImplemented */
export function operationOf(method: string, key: string, query: URLSearchParams): S3Operation {
  const found =
    key === ''
      ? {
          PUT: query.has('cors') ? 'PutBucketCors' : 'CreateBucket',
          HEAD: 'HeadBucket',
          GET: query.has('uploads') ? 'ListMultipartUploads' : 'ListObjectsV2',
        }[method]
      : {
          PUT: query.has('uploadId') ? 'UploadPart' : 'PutObject',
          HEAD: 'HeadObject',
          GET: 'GetObject',
          DELETE: query.has('uploadId') ? 'AbortMultipartUpload' : 'DeleteObject',
          POST: query.has('uploads') ? 'CreateMultipartUpload' : 'CompleteMultipartUpload',
        }[method];
  if (found === undefined) throw new S3Failure(501, 'NotImplemented');
  return found as S3Operation;
}

function checkDigest({ headers, body }: S3Request): void {
  const stated = headers['content-md5'];
  if (stated !== undefined && stated !== createHash('md5').update(body).digest('base64'))
    throw new S3Failure(400, 'BadDigest');
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith('x-amz-checksum-') && name !== 'x-amz-trailer') continue;
    if (name !== 'x-amz-checksum-crc32') throw new S3Failure(501, 'NotImplemented', name);
    if (value !== sum.toString('base64')) throw new S3Failure(400, 'BadDigest');
  }
}

function onlyNew({ headers }: S3Request): boolean {
  const condition = headers['if-none-match'];
  if (condition !== undefined && condition !== '*') throw new S3Failure(501, 'NotImplemented');
  return condition === '*';
}

function about({ headers }: S3Request): Pick<StoredObject, 'contentType' | 'metadata'> {
  const metadata = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-meta-'));
  return {
    contentType: headers['content-type'] ?? 'binary/octet-stream',
    metadata: Object.fromEntries(metadata.map(([name, value]) => [name, String(value)])),
  };
}

function headersOf(found: StoredObject, { query }: S3Request): Record<string, string> {
  const headers: Record<string, string> = {
    'content-type': found.contentType,
    etag: `"${found.etag}"`,
    'last-modified': found.modified.toUTCString(),
    'accept-ranges': 'bytes',
    ...found.metadata,
  };
  for (const [name, value] of query) if (name.startsWith('response-')) headers[name.slice('response-'.length)] = value;
  return headers;
}

function nameFor(query: URLSearchParams): (key: string) => string {
  return query.get('encoding-type') === 'url' ? (key) => encodeURIComponent(key).replaceAll('%20', '+') : escapeXml;
}
