import { createHash } from 'node:crypto';
import http from 'node:http';
import {
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { sweepIntents } from '../../src/domain/staging/sweep.ts';
import { bigPng } from '../support/sample-files.ts';
import { type S3Settings, s3Settings } from '../support/s3/service.ts';
import { type TestApp, asUser, createTestApp } from '../support/test-app.ts';

const MIB = 1024 ** 2;
let s3: S3Settings;
let t: TestApp;
let address: string;
beforeAll(async () => {
  s3 = await s3Settings(inject('s3'));
  t = await createTestApp(s3.env);
  address = await t.listen();
});
afterAll(async () => {
  await t.close();
  s3.client.destroy();
});

const uploads = async () =>
  ((await s3.client.send(new ListMultipartUploadsCommand({ Bucket: s3.bucket, Prefix: s3.prefix }))).Uploads ?? [])
    .map((upload) => (upload.Key ?? '').slice(s3.prefix.length))
    .toSorted();
const objects = async () => (await t.deps.stores.primary.list('outputs/')).objects.map((object) => object.key);
const putForeign = (key: string) =>
  s3.client.send(new PutObjectCommand({ Bucket: s3.bucket, Key: s3.prefix + key, Body: 'theirs' }));
async function beginForeignUpload(key: string): Promise<void> {
  const target = { Bucket: s3.bucket, Key: s3.prefix + key };
  const { UploadId } = await s3.client.send(new CreateMultipartUploadCommand(target));
  await s3.client.send(new UploadPartCommand({ ...target, UploadId, PartNumber: 1, Body: Buffer.alloc(5 * MIB) }));
}

/** An upload whose second half the test releases. */
function slowUpload(bytes: Buffer) {
  const headers = { ...asUser('a'), 'content-type': 'image/png' };
  const request = http.request(`${address}/v1/media?filename=slow.png`, { method: 'POST', headers });
  const answer = new Promise<{ sha256: string; storageKey: string }>((resolve, reject) => {
    request.on('error', reject);
    request.on('response', async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      resolve(JSON.parse(Buffer.concat(chunks).toString()) as { sha256: string; storageKey: string });
    });
  });
  request.write(bytes.subarray(0, bytes.length / 2));
  return { answer, end: () => void request.end(bytes.subarray(bytes.length / 2)) };
}

test('sweeps remove what a crash left under our intents, including parts, and nothing else', async () => {
  // What a killed process leaves: an intent, and under its key an object or an unfinished multipart upload.
  const [object, parts] = ['outputs/a/left-object.png', 'outputs/a/left-parts.png'];
  await putForeign(object);
  await beginForeignUpload(parts);
  for (const key of [object, parts])
    await t.deps.db.insertInto('storage_intents').values({ store: 's3', key, leased_until: '2000-01-01' }).execute();
  // Foreign objects under keys that look like ours.
  const theirs = ['outputs/a/theirs.png', 'outputs/a/left-parts.png.other', 'outputs/a/left-object.png2'];
  for (const key of theirs) await putForeign(key);
  await beginForeignUpload('outputs/a/left-parts.png-theirs');
  await beginForeignUpload('outputs/a/left-object.png/theirs');
  // A slow upload of ours.
  const bytes = bigPng(24 * MIB, 3);
  const slow = slowUpload(bytes);
  while ((await uploads()).length < 4) await new Promise((resolve) => setTimeout(resolve, 50));

  expect(await sweepIntents(t.deps)).toMatchObject({ removed: 2, failed: 0 });
  slow.end();
  const item = await slow.answer;
  expect(item.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
  expect(await sweepIntents(t.deps)).toMatchObject({ removed: 0, failed: 0 });
  expect((await objects()).toSorted()).toEqual([...theirs, item.storageKey].toSorted());
  expect(await uploads()).toEqual(['outputs/a/left-object.png/theirs', 'outputs/a/left-parts.png-theirs']);
  expect(await t.deps.db.selectFrom('storage_intents').selectAll().execute()).toEqual([]);
});
