import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytes, le32, zeros } from '../bytes.ts';
import { generationIn, workflowIn } from '../judge.ts';
import { pngChunk } from '../made-images.ts';
import * as tags from '../made-tags.ts';
import { exif, exifSegment, jpegOf, pngOf, unicodeComment } from '../made-texts.ts';
import { CONTAINERS, escaped, GRAPH, SEED, svg } from './made-containers.ts';

const EXPECTED = { source: 'comfyui', seed: SEED, steps: 20, model: 'sd_xl_base_1.0.safetensors', hasWorkflow: true };
describe.each(CONTAINERS)('%s', (_name, ext, file) => {
  test('is read, in chunks of any size', () => {
    for (const chunk of [1_000_000, 1000, 13]) expect(generationIn(file, ext, chunk)).toMatchObject(EXPECTED);
  });

  test("has a workflow with all digits of the file's numbers", () => {
    for (const chunk of [1_000_000, 1000]) {
      const workflow = workflowIn(file, ext, chunk);
      expect(workflow?.format).toBe('editor');
      expect(workflow?.json).toContain(`[${SEED},`);
    }
  });
});

describe('a graph alone is the workflow', () => {
  test.each([
    ['in EXIF, without a name', 'jpg', jpegOf(exifSegment(exif({ UserComment: unicodeComment(GRAPH) })))],
    ['in a comment, as an object', 'gif', tags.gifOf([tags.gifComment(`{"prompt": ${GRAPH}}`)])],
    ['in metadata, as JSON in JSON', 'svg', svg(`<metadata>${escaped(JSON.stringify({ prompt: GRAPH }))}</metadata>`)],
  ])('%s', (_name, ext, file) => {
    expect(workflowIn(file, ext)?.format).toBe('api');
    expect(workflowIn(file, ext)?.json).toContain(`"seed":${SEED}`);
  });
});

test('a text in a WAV file ends at its zero', () => {
  const file = tags.wavOf([], zeros(8), [tags.infoList(['ICMT', 'x\nSteps: 5, Seed: 7'])]);
  expect(generationIn(file, 'wav')).toMatchObject({ prompt: 'x', seed: 7 });
});

test('comments of streams that follow one another are all read', () => {
  const [, first, before] = tags.CODECS[1]!;
  const stream = (serial: number, name: string) =>
    tags.oggStream(serial, first, bytes(before, tags.comments({ [name]: 'x\nSteps: 5, Seed: 7' }), zeros(1_000_000)));
  const file = bytes(...Array.from({ length: 8 }, (_value, n) => bytes(...stream(n, n < 7 ? `n${n}` : 'parameters'))));
  expect(generationIn(file, 'opus', 65_536)).toMatchObject({ seed: 7 });
});

describe('damaged files', () => {
  const harm = fc.record({
    keep: fc.double({ min: 0, max: 1, noNaN: true }),
    changes: fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(255)), { maxLength: 12 }),
  });

  test('are read without an error, the same in chunks of any size', () => {
    const small = CONTAINERS.filter(([, , file]) => file.length < 30_000);
    fc.assert(
      fc.property(
        fc.constantFrom(...small),
        harm,
        fc.integer({ min: 1, max: 3000 }),
        ([, ext, file], { keep, changes }, chunk) => {
          const copy = file.slice(0, Math.ceil(file.length * keep));
          for (const [at, byte] of changes) copy[Math.floor(at * (copy.length - 1))] = byte;
          const read = (size: number) => {
            try {
              return generationIn(copy, ext, size);
            } catch (error) {
              // A glTF document that is cut is none.
              return String(error);
            }
          };
          expect(read(chunk)).toEqual(read(1_000_000));
          workflowIn(copy, ext, chunk);
        },
      ),
      { numRuns: 700 },
    );
  });
});

describe('a malicious file', () => {
  const notes = (file: Uint8Array, ext: string) => generationIn(file, ext, 65_536)?.notes?.join(' ') ?? '';
  const [, opus, before] = tags.CODECS[1]!;

  test('streams whose comments never end share one limit', () => {
    // Each page goes on to the next; the largest page has 65,025 bytes.
    const endless = (serial: number) => tags.oggStream(serial, opus, bytes(before, zeros(1_000_000)), 255).slice(0, -1);
    const file = bytes(...Array.from({ length: 8 }, (_value, serial) => bytes(...endless(serial))));
    expect(notes(file, 'opus')).toContain('the comments was left unread');
  });

  test('a stream that is not known has no comments', () => {
    const comments = tags.comments({ parameters: 'x\nSteps: 5, Seed: 7' });
    expect(generationIn(bytes(...tags.oggStream(1, bytes('fishead\0', zeros(56)), comments)), 'ogg')).toBeNull();
    const wrong = bytes('OpusHint', comments);
    expect(generationIn(bytes(...tags.oggStream(1, opus, wrong)), 'opus')).toBeNull();
  });

  test.each([
    ['a GIF comment of 3 MB', 'gif', tags.gifOf([tags.gifComment('x'.repeat(3_000_000))]), 'too long'],
    [
      'a Matroska tag of 5 MB',
      'mkv',
      tags.matroska(tags.matroskaTags(tags.simpleTag(tags.tagName('A'), tags.tagString('x'.repeat(5_000_000))))),
      'a tag was left unread',
    ],
    [
      'a LIST of 5 MB',
      'wav',
      tags.wavOf([tags.infoList(['ICMT', 'x'.repeat(5_000_000)])], zeros(8), []),
      'LIST was left unread',
    ],
    ['comf without a keyword', 'apng', pngOf(pngChunk('comf', zeros(100))), 'no keyword'],
  ])('%s is skipped, with a note', (_name, ext, file, note) => {
    expect(notes(file, ext)).toContain(note);
  });

  test('a GIF goes on after a comment that is too long', () => {
    const file = tags.gifOf([tags.gifComment('x'.repeat(3_000_000))], [tags.gifComment('x\nSteps: 5, Seed: 7')]);
    expect(generationIn(file, 'gif', 65_536)).toMatchObject({ prompt: 'x', seed: 7 });
  });

  test.each([
    ['metadata that does not end', svg(`<metadata>{"prompt": {}`)],
    ['a CDATA section that does not end', svg(`<metadata><![CDATA[{"prompt": {}}`)],
    ['metadata with elements', svg(`<metadata><rdf>{"prompt": "a", "seed": 1}</rdf></metadata>`)],
    ['metadata of 600 KB', svg(`<metadata><![CDATA[{"prompt": "${'a'.repeat(600_000)}", "seed": 1}]]></metadata>`)],
    ['metadata that is no JSON', svg('<metadata>a fox</metadata>')],
  ])('an SVG says nothing with %s', (_name, file) => {
    expect(generationIn(file, 'svg', 65_536)).toBeNull();
  });

  test('a LIST whose entries are longer than it is is read to its end', () => {
    const list = bytes('LIST', le32(24), 'INFO', 'ICMT', le32(0xffffffff), 'x, a\nSteps: ');
    expect(generationIn(tags.wavOf([list], zeros(8), []), 'wav')).toBeNull();
  });
});
