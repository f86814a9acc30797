/** An S3 server for tests, as they learn of it. */
export interface S3ForTests {
  kind: 'given' | 'minio' | 'radosgw' | 'strict';
  endpoint: string;
  accessKeyId: string;
  secretAccessKey: string;
  region: string;
  /** The only bucket that may be used; undefined: each test makes one. */
  bucket: string | undefined;
}

export interface ChosenS3 {
  s3: S3ForTests;
  /** Its processes, where they are separate ones. */
  pids?: { server: number; storage: number };
  stop(): Promise<void>;
}
