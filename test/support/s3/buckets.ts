import { createHash, randomUUID } from 'node:crypto';
import { S3Failure } from './failure.ts';

export interface StoredObject {
  body: Buffer;
  contentType: string;
  metadata: Record<string, string>;
  etag: string;
  modified: Date;
}

interface Upload {
  key: string;
  contentType: string;
  metadata: Record<string, string>;
  parts: Map<number, { body: Buffer; etag: string }>;
}

export interface CorsRule {
  origins: string[];
  methods: string[];
  headers: string[];
  expose: string[];
}

const MIN_PART_BYTES = 5 * 1024 ** 2;

/** One bucket in memory; every change is atomic. */
export class MemoryBucket {
  readonly objects = new Map<string, StoredObject>();
  readonly uploads = new Map<string, Upload>();
  cors: CorsRule[] = [];

  find(key: string): StoredObject {
    const found = this.objects.get(key);
    if (!found) throw new S3Failure(404, 'NoSuchKey');
    return found;
  }

  put(
    key: string,
    body: Buffer,
    about: Pick<StoredObject, 'contentType' | 'metadata'>,
    onlyNew: boolean,
  ): StoredObject {
    if (onlyNew && this.objects.has(key)) throw new S3Failure(412, 'PreconditionFailed');
    const stored = { ...about, body, etag: md5(body), modified: new Date() };
    this.objects.set(key, stored);
    return stored;
  }

  begin(key: string, about: Pick<Upload, 'contentType' | 'metadata'>): string {
    const id = randomUUID();
    this.uploads.set(id, { key, ...about, parts: new Map() });
    return id;
  }

  upload(id: string, key: string): Upload {
    const found = this.uploads.get(id);
    if (!found || found.key !== key) throw new S3Failure(404, 'NoSuchUpload');
    return found;
  }

  putPart(id: string, key: string, number: number, body: Buffer): string {
    if (!Number.isInteger(number) || number < 1 || number > 10_000) throw new S3Failure(400, 'InvalidArgument');
    const etag = md5(body);
    this.upload(id, key).parts.set(number, { body, etag });
    return etag;
  }

  complete(
    id: string,
    key: string,
    named: readonly { number: number; etag: string }[],
    onlyNew: boolean,
  ): StoredObject {
    const upload = this.upload(id, key);
    if (named.length === 0) throw new S3Failure(400, 'MalformedXML');
    const parts = named.map(({ number, etag }, index) => {
      const part = upload.parts.get(number);
      if (!part || part.etag !== etag) throw new S3Failure(400, 'InvalidPart');
      if (index > 0 && number <= (named[index - 1]?.number ?? 0)) throw new S3Failure(400, 'InvalidPartOrder');
      if (index < named.length - 1 && part.body.length < MIN_PART_BYTES) throw new S3Failure(400, 'EntityTooSmall');
      return part;
    });
    if (onlyNew && this.objects.has(key)) throw new S3Failure(412, 'PreconditionFailed');
    const digests = Buffer.concat(parts.map((part) => Buffer.from(part.etag, 'hex')));
    const stored = {
      body: Buffer.concat(parts.map((part) => part.body)),
      contentType: upload.contentType,
      metadata: upload.metadata,
      etag: `${md5(digests)}-${parts.length}`,
      modified: new Date(),
    };
    this.objects.set(key, stored);
    this.uploads.delete(id);
    return stored;
  }
}

function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}

/** Sorts names by their UTF-8 bytes, as S3 lists them. */
export function inOrder(names: Iterable<string>): string[] {
  return [...names].toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
