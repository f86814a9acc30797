import { describe, expect, test } from 'vitest';

import { createInspector } from '../../src/media/inspect/inspect.ts';
import { mediaTypeByExtension } from '../../src/media/media-type.ts';
import { extensionOf, inspectFile } from './judge.ts';
import { AUDIO } from './made-audio.ts';
import { IMAGES } from './made-images.ts';
import { MODELS } from './made-models.ts';
import { VARIANTS } from './made-variants.ts';
import { VIDEOS } from './made-video.ts';

describe.each([...IMAGES, ...VIDEOS, ...AUDIO, ...MODELS, ...VARIANTS])('$name', (made) => {
  const { file, ext, filename, width = null, height = null, durationMs = null, stored } = made;

  test(`is .${ext}`, async () => {
    expect(await extensionOf(file, filename)).toBe(ext);
  });

  test('is recognised by content, under any name', async () => {
    expect(filename ?? (await extensionOf(file, 'a.pdf', 'text/html'))).toBe(filename ?? ext);
  });

  test('is the same by the tracks of the whole file', () => {
    const inspector = createInspector(mediaTypeByExtension(ext)!);
    inspector.push(file);
    expect(inspector.finish()).toMatchObject({ ok: true, type: { ext: made.finalExt ?? ext } });
  });

  test('gives its size and duration, in chunks of any size', () => {
    for (const chunk of [1_000_000_000, 1024, 7]) {
      if (file.length / chunk > 100_000) continue;
      expect(inspectFile(file, mediaTypeByExtension(ext)!, chunk)).toEqual({
        width,
        height,
        durationMs,
        generation: null,
        ...(stored && { stored }),
      });
    }
  });
});
