import { inject } from 'vitest';
import { TEST_KEYS, startS3Server } from '../../support/s3/server.ts';
import { type TestServer, createTestBucket } from '../../support/s3/bucket.ts';
import { type DriverUnderTest, driverContract } from '../driver-contract.ts';
import { presignContract } from '../driver-contract-presign.ts';

/** A thousand parts each of 8, 16, 32 and 64 MiB, and the others of 128 MiB, for which there is memory. */
const CAPABILITIES = { range: true, list: true, maxObjectBytes: (1000 * (8 + 16 + 32 + 64) + 6000 * 128) * 1024 ** 2 };

async function under(server: TestServer): Promise<DriverUnderTest> {
  const bucket = await createTestBucket(server);
  const { prefix } = bucket.options;
  return {
    driver: bucket.driver,
    everything: async (below) =>
      (await bucket.everything(`${prefix}${below}/`)).map((name) => name.slice(prefix.length)),
    close: () => bucket.close(),
  };
}

async function strict(): Promise<DriverUnderTest> {
  const server = await startS3Server();
  const made = await under({ endpoint: server.endpoint, ...TEST_KEYS });
  return {
    ...made,
    close: async () => {
      await made.close();
      await server.close();
    },
  };
}

const chosen = inject('s3');
driverContract(`s3 (${chosen.kind})`, CAPABILITIES, () => under(chosen));
presignContract(`s3 (${chosen.kind})`, () => under(chosen));
if (chosen.kind !== 'strict') {
  driverContract('s3 (strict)', CAPABILITIES, strict);
  presignContract('s3 (strict)', strict);
}
