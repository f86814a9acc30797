import { type Static, Type } from 'typebox';
import { StorageError } from '../driver.ts';

const flag = (description: string) => Type.Optional(Type.Boolean({ description, allowed: 'true or false' }));
const secret = (description: string, allowed: string) =>
  Type.Optional(Type.String({ description, allowed, secret: true }));
const address = (description: string, allowed: string) =>
  Type.Optional(Type.String({ description, allowed, pattern: '^https?://[^\\s/?#@]+(/[^\\s?#]*)?$' }));

const FOLDERS = '^/?[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*/?$';

const PART_BYTES = 8 * 1024 ** 2;
/** Default memory for the parts of all uploads. */
export const UPLOAD_MEMORY_BYTES = 128 * 1024 ** 2;
const MAX_UPLOAD_MEMORY_BYTES = 1024 ** 4;

/** Settings of a store of kind `s3`, each read from `{STORE}_{NAME}`. */
export const S3_SETTINGS = Type.Object({
  BUCKET: Type.String({
    minLength: 1,
    pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$',
    allowed: 'the name of a bucket',
    description: 'Bucket that holds the objects.',
  }),
  CREATE_BUCKET: flag('Make the bucket at the start when it does not exist. Default: `false`.'),
  REGION: Type.String({
    default: 'us-east-1',
    minLength: 1,
    allowed: 'the name of a region',
    description: 'Region of the bucket; requests are signed for it. Most servers other than AWS take any name.',
  }),
  ENDPOINT: address(
    'Address of the S3 server as this service reaches it. Unset: AWS.',
    'an address like https://s3.example.com',
  ),
  PUBLIC_ENDPOINT: address(
    'Address of the same server as clients reach it; presigned URLs bear it. Unset: `ENDPOINT`.',
    'an address like https://media.example.com',
  ),
  ACCESS_KEY_ID: secret(
    'Access key, together with `SECRET_ACCESS_KEY`. Both unset: the default credential chain of the AWS SDK (environment, shared files, container and instance roles).',
    'an access key',
  ),
  SECRET_ACCESS_KEY: secret('Secret of the access key.', 'the secret that belongs to the access key'),
  SESSION_TOKEN: secret('Token of temporary credentials; needs both keys.', 'the token that belongs to the keys'),
  FORCE_PATH_STYLE: flag(
    'Name the bucket in the path (`host/bucket/key`) and not in the host (`bucket.host/key`). Default: `true` when `ENDPOINT` is set, since most servers other than AWS need it.',
  ),
  PRESIGN: flag(
    'Hand out presigned URLs, so that clients fetch and send bytes without this service. `false` where the server cannot check them; the bytes then go through this service. Default: `true`.',
  ),
  UPLOAD_MEMORY_BYTES: Type.Integer({
    default: UPLOAD_MEMORY_BYTES,
    // With less than one part, nothing could be uploaded.
    minimum: PART_BYTES,
    maximum: MAX_UPLOAD_MEMORY_BYTES,
    allowed: `a whole number from ${PART_BYTES} (one part) to ${MAX_UPLOAD_MEMORY_BYTES}`,
    description:
      'Memory that the parts of all uploads to this store hold together. An upload that needs a part waits for its turn, and is refused (`overloaded`) after 30 s.',
  }),
  PREFIX: Type.Optional(
    Type.String({
      pattern: FOLDERS,
      maxLength: 100,
      allowed: "folders joined by '/', of letters, digits, '.', '_' and '-', with 100 characters at most",
      description:
        'Folder in the bucket below which everything lies; stores with different ones share a bucket without seeing each other.',
    }),
  ),
});

/** Times and sizes that only tests change. */
export interface S3Limits {
  /** Bodies up to this size are sent in one request, larger ones in parts of it. */
  partBytes: number;
  /** How long an upload waits for memory. */
  memoryWaitMs: number;
  /** A request or response without progress for this long is aborted. */
  stallMs: number;
  connectMs: number;
  /** Attempts of one request, including the first. */
  attempts: number;
  /** Time for a failed upload to find out what the server has stored, and to remove it. */
  settleMs: number;
}

export const S3_LIMITS: S3Limits = {
  partBytes: PART_BYTES,
  memoryWaitMs: 30_000,
  stallMs: 30_000,
  connectMs: 5000,
  attempts: 3,
  settleMs: 10_000,
};

export interface S3Options {
  bucket: string;
  createBucket: boolean;
  region: string;
  /** Default: AWS. */
  endpoint: string | undefined;
  /** The same server as clients reach it. */
  publicEndpoint: string | undefined;
  /** Default: the SDK's chain. */
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } | undefined;
  forcePathStyle: boolean;
  presign: boolean;
  /** Empty, or folders with a trailing slash. */
  prefix: string;
  /** Memory for the parts of all uploads, at least one part. */
  uploadMemoryBytes?: number;
  limits?: Partial<S3Limits>;
}

/** The environment variable of the option `name` of the store `store`. */
export function settingName(store: string, name: string): string {
  return `${store.toUpperCase().replaceAll('-', '_')}_${name}`;
}

/**
 * Converts individually checked settings to the driver's options.
 * @throws StorageError MISCONFIGURED when two of them contradict each other
 */
export function s3Options(settings: Record<string, unknown>, store: string): S3Options {
  const given = settings as Static<typeof S3_SETTINGS>;
  const name = (option: string) => settingName(store, option);
  const { ACCESS_KEY_ID: accessKeyId, SECRET_ACCESS_KEY: secretAccessKey, SESSION_TOKEN: sessionToken } = given;
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    const [missing, other] =
      accessKeyId === undefined
        ? [name('ACCESS_KEY_ID'), name('SECRET_ACCESS_KEY')]
        : [name('SECRET_ACCESS_KEY'), name('ACCESS_KEY_ID')];
    throw new StorageError(
      'MISCONFIGURED',
      `${missing} is missing although ${other} is set: set both, or neither for the default credential chain of the AWS SDK`,
    );
  }
  if (sessionToken !== undefined && accessKeyId === undefined)
    throw new StorageError(
      'MISCONFIGURED',
      `${name('SESSION_TOKEN')} is set without keys: set ${name('ACCESS_KEY_ID')} and ${name('SECRET_ACCESS_KEY')} too, or unset it`,
    );
  if (given.PUBLIC_ENDPOINT !== undefined && given.PRESIGN === false)
    throw new StorageError(
      'MISCONFIGURED',
      `${name('PUBLIC_ENDPOINT')} serves presigned URLs alone, but ${name('PRESIGN')} is false: unset one of them`,
    );
  const prefix = (given.PREFIX ?? '').replace(/^\/|\/$/g, '');
  return {
    bucket: given.BUCKET,
    createBucket: given.CREATE_BUCKET ?? false,
    region: given.REGION,
    endpoint: given.ENDPOINT,
    publicEndpoint: given.PUBLIC_ENDPOINT,
    credentials:
      accessKeyId === undefined || secretAccessKey === undefined
        ? undefined
        : { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
    forcePathStyle: given.FORCE_PATH_STYLE ?? given.ENDPOINT !== undefined,
    presign: given.PRESIGN ?? true,
    prefix: prefix === '' ? '' : `${prefix}/`,
    uploadMemoryBytes: given.UPLOAD_MEMORY_BYTES,
  };
}
