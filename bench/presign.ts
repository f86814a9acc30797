import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { Job, Outcome, Work } from './jobs.ts';

/** The bare `getSignedUrl` in a loop; one "request" is a pass over all keys. */
export async function presign(
  { bucket, keys }: Extract<Work, { kind: 'presign' }>,
  { maxRequests, maxSeconds, origins }: Job,
): Promise<Outcome> {
  const client = new S3Client({
    endpoint: origins[0] ?? '',
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test-secret' },
  });
  const latencies: number[] = [];
  const outcome: Outcome = { requests: 0, bytes: 0, seconds: 0, p50: 0, p99: 0, errors: {}, kept: [] };
  const started = performance.now();
  while (outcome.requests < maxRequests && performance.now() - started < maxSeconds * 1000) {
    const at = performance.now();
    for (const Key of keys) {
      const url = await getSignedUrl(client, new GetObjectCommand({ Bucket: bucket, Key }), { expiresIn: 900 });
      outcome.bytes += url.length;
    }
    latencies.push(performance.now() - at);
    outcome.requests += 1;
  }
  outcome.seconds = (performance.now() - started) / 1000;
  latencies.sort((a, b) => a - b);
  outcome.p50 = latencies[Math.floor(latencies.length * 0.5)] ?? 0;
  outcome.p99 = latencies[Math.floor(latencies.length * 0.99)] ?? 0;
  client.destroy();
  return outcome;
}
