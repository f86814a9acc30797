import { expect, test } from 'vitest';
import { DRIVERS } from '../../../src/storage/stores/registry.ts';
import { createDriverContext } from '../../support/storage/driver-context.ts';

test("paths of others lead to a bucket's objects by the aliases of its store", async () => {
  const settings = {
    BUCKET: 'b',
    REGION: 'us-east-1',
    ENDPOINT: 'http://127.0.0.1:1',
    ACCESS_KEY_ID: 'a',
    SECRET_ACCESS_KEY: 'b',
    MOUNT_ALIASES: '/mnt/bucket,/srv/media',
  };
  const driver = await DRIVERS['s3']?.create(settings, createDriverContext('s3'));
  expect(driver?.mounts).toEqual({ own: ['s3://b/'], aliases: ['/mnt/bucket', '/srv/media'] });
});
