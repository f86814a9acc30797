import { expect, test } from 'vitest';
import { identify } from '../../../src/domain/bytes/identify.ts';

const body = (bytes: Buffer) => {
  const head = { bytes, complete: true };
  return { head: () => head, more: async () => head };
};
const hints = { filename: undefined, declaredType: undefined };
const OBJ = Buffer.from('v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n');

test('a file that is not recognised is told what it looks like, and which formats need a name', async () => {
  const refused = identify(body(OBJ), hints);
  await expect(refused).rejects.toMatchObject({ code: 'unsupported_media' });
  await expect(refused).rejects.toThrow(
    /^The bytes are not .* \(they look like text\/plain\)\. Some files need a filename or a content type to be recognised: all \.obj, \.tga, \.splat, \.ksplat, and some \.stl, \.gltf, .*\.$/,
  );
});

test('a name or a content type makes up for a missing signature', async () => {
  expect(await identify(body(OBJ), { ...hints, filename: 'a.obj' })).toMatchObject({ mime: 'model/obj' });
  expect(await identify(body(OBJ), { ...hints, declaredType: 'model/obj' })).toMatchObject({ ext: 'obj' });
});
