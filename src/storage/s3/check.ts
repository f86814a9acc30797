import { randomUUID } from 'node:crypto';
import { StorageError } from '../driver.ts';
import type { S3Bucket } from './client.ts';
import { asS3Failure, isCredentialProblem, isMissing, nameOf, reasonOf, statusOf } from './errors.ts';
import type { S3Options } from './settings.ts';

/** Prefix of the objects that the start check writes and removes; no key of ours begins with it. */
export const PROBE = '.mediakeep-probe-';

/**
 * Tries everything that the service will do: the bucket exists, the credentials work, an object can be written without replacing
 * one, uploads can be listed, an object can be deleted.
 * @param lookOnly a missing bucket is not created
 * @throws StorageError MISCONFIGURED, or UNAVAILABLE when the server is unreachable at the moment, or UNUSED
 */
export async function checkBucket(s3: S3Bucket, options: S3Options, lookOnly = false): Promise<void> {
  const say = wording(s3, options);
  await findBucket(s3, options, say, lookOnly);
  const probe = { Bucket: s3.name, Key: s3.path(`${PROBE}${randomUUID()}`) };
  const full = await writeProbe(s3, probe, say);
  if (full) return;
  try {
    await s3.client
      .send(new s3.sdk.ListMultipartUploadsCommand({ Bucket: s3.name, Prefix: probe.Key }))
      .catch((error: unknown) => {
        if (statusOf(error) !== 501 && nameOf(error) !== 'NotImplemented')
          throw say.refused('ListBucketMultipartUploads', error);
        s3.log('warn', 'the S3 server cannot list uploads: parts that a crash leaves need a lifecycle rule');
      });
  } finally {
    await s3.client.send(new s3.sdk.DeleteObjectCommand(probe)).catch((error: unknown) => {
      throw say.refused('DeleteObject', error);
    });
  }
}

interface Wording {
  /** A request that the bucket's owner, or the server, does not permit. */
  refused(action: string, error: unknown): StorageError;
  unreachable(error: unknown): StorageError;
  missing(): StorageError;
  credentials(error: unknown): StorageError;
  region(error: unknown): StorageError;
}

function wording(s3: S3Bucket, options: S3Options): Wording {
  const where = options.endpoint ?? `AWS (${options.region})`;
  const bucket = `the bucket '${s3.name}' at ${where}`;
  const wrong = (message: string, cause?: unknown) => new StorageError('MISCONFIGURED', message, { cause });
  const say: Wording = {
    refused(action, error) {
      if (error instanceof StorageError) return error;
      if (isCredentialProblem(error)) return say.credentials(error);
      if (statusOf(error) === 403)
        return wrong(
          `${s3.setting('BUCKET')}: ${bucket} refuses s3:${action} to the key in ${s3.setting('ACCESS_KEY_ID')} (${reasonOf(error)}); allow that key what docs/operations.md lists under "S3"`,
          error,
        );
      if (statusOf(error) === undefined) return say.unreachable(error);
      const failure = asS3Failure(error, `${s3.setting('BUCKET')}: ${action} in ${bucket}`);
      return failure instanceof StorageError ? failure : say.unreachable(error);
    },
    unreachable(error) {
      const code = reasonOf(error);
      if (code.includes('ENOTFOUND') && !options.forcePathStyle)
        return new StorageError(
          'UNAVAILABLE',
          `${s3.setting('FORCE_PATH_STYLE')}: no host of the bucket's name is found at ${where}; set it to true, or let ${s3.name}.… lead to the server`,
          { cause: error },
        );
      if (code.includes('EPROTO') || code.includes('SSL'))
        return wrong(`${s3.setting('ENDPOINT')}: ${where} does not speak TLS (${code}); write http:// instead`, error);
      return new StorageError(
        'UNAVAILABLE',
        `${s3.setting('ENDPOINT')}: the S3 server at ${where} cannot be reached (${reasonOf(error)}); start it, or correct the address`,
        { cause: error },
      );
    },
    missing() {
      return wrong(
        `${s3.setting('BUCKET')}: ${bucket} does not exist; create it, or set ${s3.setting('CREATE_BUCKET')}=true`,
      );
    },
    credentials(error) {
      const remedy =
        options.credentials === undefined
          ? `set ${s3.setting('ACCESS_KEY_ID')} and ${s3.setting('SECRET_ACCESS_KEY')}, or give the default credential chain of the AWS SDK usable ones`
          : `correct ${s3.setting('ACCESS_KEY_ID')} and ${s3.setting('SECRET_ACCESS_KEY')}, and this machine's clock`;
      return wrong(
        `${s3.setting('ACCESS_KEY_ID')}: the S3 server at ${where} does not take the credentials (${reasonOf(error)}); ${remedy}`,
        error,
      );
    },
    region(error) {
      return wrong(`${s3.setting('REGION')}: ${bucket} is in another region (${reasonOf(error)}); set its own`, error);
    },
  };
  return say;
}

async function findBucket(s3: S3Bucket, options: S3Options, say: Wording, lookOnly: boolean): Promise<void> {
  try {
    // Its response names the problem, while that to HEAD has no body.
    await s3.client.send(new s3.sdk.ListObjectsV2Command({ Bucket: s3.name, Prefix: s3.prefix, MaxKeys: 1 }));
  } catch (error) {
    const name = nameOf(error);
    if (name === 'NoSuchBucket' || isMissing(error)) {
      if (!options.createBucket) throw say.missing();
      if (lookOnly)
        throw new StorageError('UNUSED', `the bucket '${s3.name}' does not exist yet; the next start creates it`);
      await createBucket(s3, options, say);
    } else if (
      ['PermanentRedirect', 'AuthorizationHeaderMalformed', 'IllegalLocationConstraintException'].includes(name) ||
      statusOf(error) === 301
    ) {
      throw say.region(error);
    } else throw say.refused('ListBucket', error);
  }
}

async function createBucket(s3: S3Bucket, options: S3Options, say: Wording): Promise<void> {
  const elsewhere = options.endpoint === undefined && options.region !== 'us-east-1';
  try {
    await s3.client.send(
      new s3.sdk.CreateBucketCommand({
        Bucket: s3.name,
        ...(elsewhere && { CreateBucketConfiguration: { LocationConstraint: options.region as never } }),
      }),
    );
    s3.log('info', 'the bucket was created', { bucket: s3.name });
  } catch (error) {
    // Another replica was first, or the first response was lost.
    if (nameOf(error) === 'BucketAlreadyOwnedByYou') return;
    if (nameOf(error) === 'BucketAlreadyExists')
      throw new StorageError(
        'MISCONFIGURED',
        `${s3.setting('BUCKET')}: the name '${s3.name}' belongs to somebody else; choose another`,
        { cause: error },
      );
    throw say.refused('CreateBucket', error);
  }
}

/** Writes the probe twice, to learn how the server treats the condition; returns true when the store is full. */
async function writeProbe(s3: S3Bucket, probe: { Bucket: string; Key: string }, say: Wording): Promise<boolean> {
  const put = (conditional: boolean) =>
    s3.client.send(
      new s3.sdk.PutObjectCommand({
        ...probe,
        Body: Buffer.from('.'),
        ContentLength: 1,
        ...(conditional && { IfNoneMatch: '*' }),
      }),
    );
  try {
    await put(true);
  } catch (error) {
    const failure = say.refused('PutObject', error);
    if (failure.code === 'NO_SPACE') {
      // Stored objects can still be read.
      s3.log('warn', 'the S3 server has no room left', { reason: reasonOf(error) });
      return true;
    }
    if (statusOf(error) !== 501 && nameOf(error) !== 'NotImplemented') throw failure;
    await put(false).catch((second: unknown) => {
      throw say.refused('PutObject', second);
    });
    s3.conditional = 'refused';
  }
  if (s3.conditional !== 'refused')
    s3.conditional = await put(true).then(
      () => 'ignored' as const,
      (error: unknown) => (statusOf(error) === 412 ? 'honoured' : 'unknown'),
    );
  if (s3.conditional !== 'honoured')
    s3.log(
      'warn',
      'the S3 server does not honour If-None-Match: two writers of one key are told apart by looking first',
    );
  return false;
}
