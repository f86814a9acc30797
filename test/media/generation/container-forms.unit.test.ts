import { describe, expect, test } from 'vitest';
import { findWorkflow } from '../../../src/media/generation/find-workflow.ts';
import { createTextReader } from '../../../src/media/inspect/inspect.ts';
import { mediaTypeByExtension } from '../../../src/media/media-type.ts';
import { be16, be32, bytes, le16, le32, utf8, zeros } from '../bytes.ts';
import { inspectFile } from '../judge.ts';
import { mp3 } from '../made-audio.ts';
import { png, pngChunk, riffChunk } from '../made-images.ts';
import { ebml, element, oggPage } from '../made-video.ts';

const GRAPH = JSON.stringify({
  '3': { class_type: 'KSampler', inputs: { seed: 777, steps: 22, positive: ['6', 0] } },
  '6': { class_type: 'CLIPTextEncode', inputs: { text: 'a quiet harbour, ein Schiff' } },
});
const WORKFLOW = JSON.stringify({ nodes: [{ id: 9, type: 'SaveImage' }], links: [] });
const BOTH = JSON.stringify({ prompt: JSON.parse(GRAPH), workflow: JSON.parse(WORKFLOW) });
const EXPECTED = { source: 'comfyui', prompt: 'a quiet harbour, ein Schiff', seed: 777, steps: 22, hasWorkflow: true };

const utf16 = (text: string, mark = true) =>
  bytes(mark ? [0xff, 0xfe] : [], new Uint8Array(Buffer.from(text, 'utf16le')));
const size7 = (size: number) => [21, 14, 7, 0].map((shift) => (size >> shift) & 0x7f);
const unsync = (data: Uint8Array) =>
  bytes(...[...data].map((byte, at) => (byte === 0xff && (data[at + 1] ?? 0) >= 0 ? [0xff, 0] : [byte])));
const tag = (version: number, flags: number, body: Uint8Array) =>
  bytes('ID3', [version, 0, flags], size7(body.length), body);
function frameOf(version: number, name: string, body: Uint8Array, flags = 0): Uint8Array {
  if (version === 2) return bytes(name, be32(body.length).subarray(1), body);
  return bytes(name, version === 4 ? size7(body.length) : be32(body.length), [0, flags], body);
}
const text8 = (key: string, value: string) => bytes(3, utf8(key), 0, utf8(value), 0);
const text16 = (key: string, value: string) => bytes(1, utf16(key), 0, 0, utf16(value), 0, 0);
const both = (version: number, name: string, make = text8) =>
  bytes(frameOf(version, name, make('prompt', GRAPH)), frameOf(version, name, make('WORKFLOW', WORKFLOW)));

/** A packet over as many pages as it needs. */
function oggPackets(serial: number, head: Uint8Array, packet: Uint8Array): Uint8Array {
  const pages: Uint8Array[] = [oggPage(serial, 2, 0, head)];
  for (let at = 0; at <= packet.length; at += 255 * 3) {
    const part = packet.subarray(at, at + 255 * 3);
    const laces = [
      ...Array.from({ length: Math.floor(part.length / 255) }, () => 255),
      ...(part.length < 765 ? [part.length % 255] : []),
    ];
    pages.push(bytes('OggS\0', at === 0 ? 0 : 1, zeros(8), le32(serial), zeros(8), laces.length, laces, part));
  }
  return bytes(...pages, oggPage(serial, 4, 48_000, zeros(9)));
}
const comments = (...list: string[]) =>
  bytes(le32(4), 'test', le32(list.length), ...list.flatMap((each) => [le32(utf8(each).length), utf8(each)]));
const vorbisComments = comments('ENCODER=x', `PROMPT=${GRAPH}`, `workflow=${WORKFLOW}`);
const streams: [string, Uint8Array, Uint8Array][] = [
  ['Opus', bytes('OpusHead', [1, 2], le16(0), le32(48_000), zeros(3)), bytes('OpusTags', vorbisComments)],
  ['Vorbis', bytes('\x01vorbis', zeros(4), 2, le32(44_100), zeros(14)), bytes('\x03vorbis', vorbisComments, 1)],
  ['FLAC', bytes('\x7fFLAC', zeros(50)), bytes(0x84, be32(vorbisComments.length).subarray(1), vorbisComments)],
  ['Speex', bytes('Speex   ', zeros(28), le32(16_000), zeros(40)), vorbisComments],
];

const SEGMENT = [0x18, 0x53, 0x80, 0x67];
const UNKNOWN_SIZE = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const simpleTag = (name: string, value: string) =>
  element([0x67, 0xc8], element([0x45, 0xa3], name), element([0x44, 0x87], utf8(value)));
const tags = (...list: Uint8Array[]) => element([0x12, 0x54, 0xc3, 0x67], element([0x73, 0x73], ...list));
const tracks = element([0x16, 0x54, 0xae, 0x6b], element([0xae], element([0x83], 1)));
const matroska = (...parts: Uint8Array[]) =>
  bytes(ebml('matroska'), SEGMENT, UNKNOWN_SIZE, element([0x15, 0x49, 0xa9, 0x66]), tracks, ...parts);
const cluster = element([0x1f, 0x43, 0xb6, 0x75], zeros(5000));

const wavOf = (...chunks: Uint8Array[]) =>
  bytes(
    'RIFF',
    le32(9e6),
    'WAVE',
    riffChunk('fmt ', bytes(le16(1), le16(1), le32(8000), le32(8000), le16(1), le16(8))),
    ...chunks,
  );
const sound = riffChunk('data', zeros(4001));
const info = riffChunk('LIST', bytes('INFO', riffChunk('ISFT', utf8('Lavf')), riffChunk('ICMT', bytes(utf8(BOTH), 0))));

const blocks = (data: Uint8Array) =>
  bytes(
    ...Array.from({ length: Math.ceil(data.length / 255) }, (_v, at) =>
      bytes(Math.min(255, data.length - at * 255), data.subarray(at * 255, at * 255 + 255)),
    ),
    0,
  );
const gifFrame = bytes(
  [0x21, 0xf9, 4, 0, 1, 0, 0, 0],
  0x2c,
  le16(0),
  le16(0),
  le16(3),
  le16(2),
  0,
  2,
  blocks(zeros(600)),
);
const gifOf = (...parts: Uint8Array[]) => bytes('GIF89a', le16(3), le16(2), [0x80, 0, 0], zeros(6), ...parts, 0x3b);
const gifComment = bytes([0x21, 0xfe], blocks(utf8(BOTH)));

const svg = (metadata: string) =>
  utf8(`<svg xmlns="http://www.w3.org/2000/svg" width="3" height="2">${metadata}<rect/></svg>`);
const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
const asset = { version: '2.0', generator: 'ComfyUI', extras: { prompt: GRAPH, workflow: WORKFLOW } };
const gltf = utf8(JSON.stringify({ asset, scenes: [{}] }));
const glb = bytes('glTF', le32(2), le32(20 + gltf.length), le32(gltf.length), 'JSON', gltf);

const FILES: [string, string, Uint8Array][] = [
  [
    'WebM, tags before the media',
    'webm',
    bytes(
      ebml('webm'),
      matroska(tags(simpleTag('PROMPT', GRAPH), simpleTag('WORKFLOW', WORKFLOW)), cluster).subarray(
        ebml('matroska').length,
      ),
    ),
  ],
  [
    'Matroska, tags behind the media',
    'mkv',
    matroska(cluster, tags(simpleTag('PROMPT', GRAPH), simpleTag('WORKFLOW', WORKFLOW))),
  ],
  ['Matroska, a comment', 'mkv', matroska(tags(simpleTag('COMMENT', BOTH)))],
  ['MP3, ID3 2.2', 'mp3', bytes(tag(2, 0, both(2, 'TXX')), mp3(9))],
  ['MP3, ID3 2.3 in UTF-16', 'mp3', bytes(tag(3, 0, both(3, 'TXXX', text16)), mp3(9))],
  ['MP3, ID3 2.3 with zeros after 0xff', 'mp3', bytes(tag(3, 0x80, unsync(both(3, 'TXXX', text16))), mp3(9))],
  [
    'MP3, ID3 2.3 with an extended header',
    'mp3',
    bytes(tag(3, 0x40, bytes(be32(6), zeros(6), both(3, 'TXXX'))), mp3(9)),
  ],
  [
    'MP3, ID3 2.4 with an extended header',
    'mp3',
    bytes(tag(4, 0x40, bytes(size7(6), [1, 0], both(4, 'TXXX'))), mp3(9)),
  ],
  [
    'MP3, ID3 2.4 with lengths of data',
    'mp3',
    bytes(tag(4, 0, frameOf(4, 'COMM', bytes(size7(BOTH.length), 3, 'eng', 0, utf8(BOTH)), 1)), mp3(9)),
  ],
  ['MP3, a comment in Latin-1', 'mp3', bytes(tag(3, 0, frameOf(3, 'COMM', bytes(0, 'eng', 0, BOTH))), mp3(9))],
  ...streams.map(([name, head, packet]): [string, string, Uint8Array] => [
    `Ogg, ${name}, over several pages`,
    name === 'Opus' ? 'opus' : 'ogg',
    oggPackets(7, head, packet),
  ]),
  ['WAV, a list before the sound', 'wav', wavOf(info, sound)],
  ['WAV, a list behind the sound', 'wav', wavOf(sound, info)],
  ['WAV, an ID3 tag', 'wav', wavOf(sound, riffChunk('id3 ', tag(4, 0, both(4, 'TXXX'))))],
  ['GIF, a comment at the front', 'gif', gifOf(gifComment, gifFrame, gifFrame)],
  ['GIF, a comment at the end', 'gif', gifOf(gifFrame, gifFrame, gifComment)],
  [
    'APNG, chunks of ComfyUI',
    'apng',
    png(
      3,
      2,
      pngChunk('acTL', zeros(8)),
      pngChunk('comf', bytes('prompt', 0, GRAPH)),
      pngChunk('comf', bytes('workflow', 0, WORKFLOW)),
    ),
  ],
  ['SVG, CDATA', 'svg', svg(`<metadata><![CDATA[\n${BOTH}\n]]></metadata>`)],
  ['SVG, escaped', 'svg', svg(`<metadata id="m">${escaped(BOTH)}</metadata>`)],
  [
    'SVG, under a prefix',
    'svg',
    utf8(`<s:svg xmlns:s="http://www.w3.org/2000/svg" width="3" height="2"><s:metadata>${BOTH}</s:metadata></s:svg>`),
  ],
  ['GLB', 'glb', glb],
  ['glTF', 'gltf', gltf],
];

describe.each(FILES)('%s', (_name, ext, file) => {
  const type = mediaTypeByExtension(ext)!;

  test('says how it was made, in chunks of any size', () => {
    for (const chunk of [1_000_000, 1000, 13]) {
      const found = inspectFile(file, type, chunk);
      expect(found).toMatchObject({ generation: EXPECTED });
    }
  });

  test('gives its workflow to be run again', () => {
    const reader = createTextReader(type);
    reader?.push(file);
    const found = findWorkflow(reader?.end() ?? new Map());
    expect(found).toMatchObject({ format: 'editor', json: WORKFLOW });
  });

  test('cut anywhere, breaks nothing', () => {
    for (let at = 0; at < file.length; at += 97) expect(inspectFile(file.subarray(0, at), type)).toBeDefined();
  });
});

test('an ID3 tag with a large picture costs no memory, and the sound is measured behind it', () => {
  const cover = frameOf(3, 'APIC', zeros(5_000_000));
  expect(inspectFile(bytes(tag(3, 0, cover), mp3(20)), mediaTypeByExtension('mp3')!)).toMatchObject({
    durationMs: 522,
    generation: null,
  });
});

test('frames whose length is a lie end the tag', () => {
  const lie = bytes('TXXX', be32(9e8), be16(0), zeros(20));
  expect(inspectFile(bytes(tag(3, 0, lie), mp3(20)), mediaTypeByExtension('mp3')!)).toMatchObject({ durationMs: 522 });
});
