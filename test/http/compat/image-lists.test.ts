import { afterAll, beforeAll, expect, test } from 'vitest';
import { jpeg as jpegBytes } from '../../media/made-images.ts';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';

const jpeg = (width: number, height: number) => Buffer.from(jpegBytes(width, height));

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

const get = async (url: string, user = 'alice') => (await t.app.inject({ url, headers: asUser(user) })).json();
const store = async (user: string, filename: string, bytes: Buffer, more: object = {}) =>
  (
    await t.app.inject({
      method: 'POST',
      url: '/v1/media',
      headers: asUser(user),
      payload: { filename, source: { type: 'base64', data: bytes.toString('base64') }, ...more },
    })
  ).json();
const names = async (query: string, user = 'alice') =>
  (await get(`/api/images${query}`, user)).images.map((image: { filename: string }) => image.filename);

/** Of different sizes, in no order of their names. */
const small = png(2, 2, 1);
const large = Buffer.concat([png(40, 40, 2), Buffer.alloc(500)]);

test('an old list is sorted by the words that its front ends know, and any other word means newest first', async () => {
  await store('alice', 'b.png', large);
  await store('alice', 'C.png', small);
  await store('alice', 'a.png', png(9, 9, 3));
  expect(await names('')).toEqual(['a.png', 'C.png', 'b.png']);
  expect(await names('?sortBy=newest')).toEqual(['a.png', 'C.png', 'b.png']);
  expect(await names('?sortBy=oldest')).toEqual(['b.png', 'C.png', 'a.png']);
  expect(await names('?sortBy=name')).toEqual(['a.png', 'b.png', 'C.png']);
  expect((await names('?sortBy=largest'))[0]).toBe('b.png');
  expect((await names('?sortBy=smallest'))[2]).toBe('b.png');
  for (const other of ['', 'constructor', 'createdAt'])
    expect(await names(`?sortBy=${other}`)).toEqual(await names(''));
  expect(await names('?sortBy=oldest&limit=1&offset=1')).toEqual(['C.png']);
});

test('a page of an old list says how many images there are, and whether others follow', async () => {
  for (const name of ['1', '2', '3'])
    await store('pages', `${name}.png`, png(3, 3, Number(name)), { jobId: `job-${name}` });
  await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: asUser('pages'),
    payload: { status: 'failed', error: 'out of memory' },
  });
  const page = async (query: string) => {
    const { count, total, hasMore } = await get(`/api/images${query}`, 'pages');
    return { count, total, hasMore };
  };
  expect(await page('')).toEqual({ count: 3, total: 3, hasMore: false });
  expect(await page('?limit=2')).toEqual({ count: 2, total: 3, hasMore: true });
  expect(await page('?limit=2&offset=1')).toEqual({ count: 2, total: 3, hasMore: false });
  expect(await page('?limit=2&offset=9')).toEqual({ count: 0, total: 3, hasMore: false });
  expect(await page('?jobId=job-2')).toEqual({ count: 1, total: 1, hasMore: false });
  // A front end may ask for more than are ever sent at once.
  expect(await page('?limit=5000&includeData=true')).toEqual({ count: 3, total: 3, hasMore: false });
});

test('an image of an old list has its address, size and format under the old names', async () => {
  const stored = await store('shapes', 'photo.jpeg', jpeg(8, 6));
  await store('shapes', 'elsewhere', png(), {
    source: { type: 'external', storageUrl: 'https://cdn.test/x', storageProvider: 'cdn' },
  });
  const [external, image] = (await get('/api/images', 'shapes')).images;
  expect(image).toMatchObject({
    id: stored.id,
    dataUrl: `http://media.test/api/images/${stored.id}/data`,
    fileSize: stored.bytes,
    format: 'jpg',
  });
  const bytes = await t.app.inject({ url: new URL(image.dataUrl).pathname, headers: asUser('shapes') });
  expect(bytes.rawPayload.equals(jpeg(8, 6))).toBe(true);
  expect(external).toMatchObject({ fileSize: null, format: null });
});

test('totals in the old form count what the list shows', async () => {
  await store('totals', 'a.png', png(4, 4, 1), { jobId: 'job' });
  await store('totals', 'b.png', png(4, 4, 2));
  await store('totals', 'c.jpg', jpeg(8, 6));
  await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: asUser('totals'),
    payload: { status: 'failed', error: 'out of memory' },
  });
  const totalSize = png(4, 4, 1).length + png(4, 4, 2).length + jpeg(8, 6).length;
  const whole = {
    success: true,
    stats: {
      totalImages: 3,
      totalSize,
      formatBreakdown: { png: 2, jpg: 1 },
      imagesWithData: 3,
      imagesWithoutData: 0,
    },
  };
  expect(await get('/api/images?stats=true', 'totals')).toEqual(whole);
  expect((await get('/api/images?stats=true&jobId=job', 'totals')).stats).toMatchObject({
    totalImages: 1,
    formatBreakdown: { png: 1 },
  });
  expect((await get('/api/images?stats=true', 'nobody')).stats).toEqual({
    totalImages: 0,
    totalSize: 0,
    formatBreakdown: {},
    imagesWithData: 0,
    imagesWithoutData: 0,
  });
  expect((await get('/api/images?stats=true&userId=totals', 'mallory')).code).toBe('user_mismatch');
  const asService = await t.app.inject({ url: '/api/images?stats=true&userId=totals', headers: asAdmin() });
  expect(asService.json()).toEqual(whole);
  expect((await get('/api/images?stats=false', 'totals')).images).toHaveLength(3);
});

test('a page without a session shows images by signed URLs, or those that are public', async () => {
  const { id } = await store('page', 'a.png', png(5, 5, 1));
  const bytes = (url: string) => t.app.inject({ url: url.replace('http://media.test', '') });
  const { dataUrl } = (await get('/api/images', 'page')).images[0];
  expect((await bytes(dataUrl)).statusCode).toBe(401);
  const signed = await t.app.inject({
    method: 'POST',
    url: '/v1/signed-urls',
    headers: asUser('page'),
    payload: { ids: [id], expiresIn: 900 },
  });
  expect((await bytes(signed.json().results[0].url)).rawPayload.equals(png(5, 5, 1))).toBe(true);
  await t.app.inject({
    method: 'PATCH',
    url: `/v1/media/${id}`,
    headers: asUser('page'),
    payload: { visibility: 'public' },
  });
  for (const url of [dataUrl, `/api/images/${id}/network-volume`, `/v1/media/${id}/content`])
    expect((await bytes(url)).rawPayload.equals(png(5, 5, 1))).toBe(true);
});
