import { expect, test } from 'vitest';

import { isOfFamily, MEDIA_TYPES, mediaTypeByExtension, mediaTypeByMime } from '../../src/media/media-type.ts';

test('every type is found by its extension and by its MIME type', () => {
  for (const type of MEDIA_TYPES) {
    expect(mediaTypeByExtension(type.ext)).toBe(type);
    expect(mediaTypeByMime(type.mime)?.mediaType).toBe(type.mediaType);
    expect(type.mime).toMatch(/^(image|audio|video|model)\/[a-z0-9.+-]+$/);
  }
});

test.each([
  ['audio/x-wav', 'wav'],
  ['image/jpg', 'jpg'],
  ['video/x-m4v', 'm4v'],
  [' Video/MP4 ; codecs="avc1"', 'mp4'],
  ['IMAGE/PNG', 'png'],
  ['video/x-matroska', 'mkv'],
  ['audio/opus', 'opus'],
  ['image/aces', 'exr'],
  ['image/vnd-ms.dds', 'dds'],
  ['application/x-blender', 'blend'],
])('%s is .%s', (mime, ext) => {
  expect(mediaTypeByMime(mime)?.ext).toBe(ext);
});

test('extensions are found with or without a dot, in any case', () => {
  expect(mediaTypeByExtension('.JPEG')?.ext).toBe('jpg');
  expect(mediaTypeByExtension('tiff')?.ext).toBe('tif');
  expect(mediaTypeByExtension('m2ts')?.ext).toBe('ts');
  expect(mediaTypeByExtension('.usd')?.ext).toBe('usdc');
});

test.each(['', 'text/html', 'application/zip', 'constructor', 'image', '__proto__'])(
  '%j is not a media type',
  (name) => {
    expect(mediaTypeByMime(name)).toBeUndefined();
    expect(mediaTypeByExtension(name)).toBeUndefined();
  },
);

test('only types that a browser shows without running scripts are inline', () => {
  const never = MEDIA_TYPES.filter((type) => !type.inline).map((type) => type.ext);
  expect(never.join(' ')).toBe(
    'psd svg exr hdr ktx2 ktx dds qoi tga ts glb gltf stl obj usdz ply fbx dae 3mf usda usdc spz splat ksplat blend',
  );
});

test('a name leaves open which of its formats a file has', () => {
  expect(isOfFamily('model/vnd.usda', mediaTypeByExtension('usd')!.mime)).toBe(true);
  expect(isOfFamily('video/mp2t', 'video/mpeg')).toBe(true);
  expect(isOfFamily('image/ktx', 'image/ktx2')).toBe(true);
  expect(isOfFamily('image/x-tga', 'image/qoi')).toBe(false);
});
