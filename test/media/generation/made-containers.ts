import { bytes, utf8, zeros } from '../bytes.ts';
import { mp3 } from '../made-audio.ts';
import { pngChunk, riffChunk } from '../made-images.ts';
import * as tags from '../made-tags.ts';
import { exif, exifSegment, jpegOf, pngOf, tEXt, unicodeComment, webpOf } from '../made-texts.ts';
import { box, fullBox } from '../made-video.ts';
import * as made from './made-generations.ts';

/** A graph whose seed a JSON parser would round. */
export const GRAPH = JSON.stringify(made.COMFY_GRAPH).replace('156680208700286', '18446744073709551557');
const EDITOR = JSON.stringify(made.COMFY_WORKFLOW).replace('42,', '18446744073709551557,');
export const SEED = '18446744073709551557';
const TEXTS = { PROMPT: GRAPH, WORKFLOW: EDITOR };
/** Both in one text, as JSON in JSON. */
const STRINGS = JSON.stringify({ prompt: GRAPH, workflow: EDITOR });
/** Both in one text, as objects. */
const OBJECTS = `{"prompt": ${GRAPH}, "other": {"workflow": 1, "a": ["]", "}"]}, "workflow": ${EDITOR}}`;

const comments = (size = 0) => tags.comments({ TITLE: 'x'.repeat(size), ...TEXTS }, 'Encoded with test');
const ogg = ([, first, before]: (typeof tags.CODECS)[number], segments?: number, size = 0) =>
  bytes(...tags.oggStream(7, first, bytes(before, comments(size)), segments));
const id3 = (version: 2 | 3 | 4, texts: Record<string, string> = TEXTS) =>
  Object.entries(texts).map(([name, text]) =>
    tags.id3Frame(version, version === 2 ? 'TXX' : 'TXXX', tags.userText(name, text)),
  );
const wavTag = tags.id3Tag(4, 0, bytes(...id3(4)));
export const svg = (metadata: string) =>
  utf8(`<svg xmlns="http://www.w3.org/2000/svg" width="3" height="2">${metadata}<rect/></svg>`);
export const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&#34;').replaceAll("'", '&#x27;');
const gltf = (extras: string) =>
  `{"scenes":[{"extras":{"prompt":{}}}],"asset":{"generator":"x","extras":${extras},"version":"2.0"}}`;
const data = (text: string) => box('data', bytes([0, 0, 0, 1], zeros(4)), utf8(text));
const keyed = (name: string, text: string) =>
  bytes(
    box('ftyp', 'isom', zeros(4)),
    box(
      'moov',
      fullBox(
        'meta',
        fullBox('hdlr', zeros(4), 'mdta', zeros(13)),
        fullBox('keys', [0, 0, 0, 1], box('mdta', name)),
        box('ilst', box('\0\0\0\x01', data(text))),
      ),
    ),
  );

export const CONTAINERS: readonly (readonly [name: string, ext: string, file: Uint8Array])[] = [
  [
    'Matroska, tags before the clusters',
    'mkv',
    tags.matroska(tags.matroskaTags(...tags.simpleTags(TEXTS)), tags.cluster(50)),
  ],
  [
    'Matroska, tags after many clusters',
    'mkv',
    tags.matroska(...Array.from({ length: 300 }, () => tags.cluster(90)), tags.matroskaTags(...tags.simpleTags(TEXTS))),
  ],
  [
    'WebM, a comment',
    'webm',
    tags.matroska(tags.cluster(9), tags.matroskaTags(...tags.simpleTags({ COMMENT: STRINGS }))),
  ],
  [
    'WebM, a text before its name',
    'webm',
    tags.matroska(
      tags.matroskaTags(
        tags.simpleTag(tags.tagName('COVER')),
        tags.simpleTag(tags.tagString(STRINGS), tags.tagName('COMMENT')),
      ),
    ),
  ],
  [
    'WebM, a tag inside another',
    'webm',
    tags.matroska(
      tags.matroskaTags(tags.simpleTag(tags.tagName('ORIGINAL'), tags.tagString('y'), ...tags.simpleTags(TEXTS))),
    ),
  ],
  ...tags.CODECS.map((codec) => [`${codec[0]}, one page`, 'ogg', ogg(codec)] as const),
  ...tags.CODECS.map((codec) => [`${codec[0]}, many pages`, 'ogg', ogg(codec, 3, 5000)] as const),
  ['Opus, pages of 64 KB', 'opus', ogg(tags.CODECS[1]!, 255, 200_000)],
  [
    'Vorbis, comments that fill their page to the byte',
    'ogg',
    bytes(...tags.oggStream(7, tags.CODECS[0]![1], filledTo(255 * 40), 10)),
  ],
  ['MP3, ID3v2.2', 'mp3', bytes(tags.id3Tag(2, 0, bytes(...id3(2))), mp3(20))],
  ['MP3, ID3v2.3', 'mp3', bytes(tags.id3Tag(3, 0, bytes(...id3(3))), mp3(20))],
  ['MP3, ID3v2.4', 'mp3', bytes(tags.id3Tag(4, 0, bytes(...id3(4))), mp3(20))],
  ['MP3, a comment', 'mp3', bytes(tags.id3Tag(3, 0, tags.id3Frame(3, 'COMM', tags.commentText('', STRINGS))), mp3(20))],
  [
    'MP3, before a cover of 6 MB',
    'mp3',
    bytes(tags.id3Tag(3, 0, bytes(...id3(3), tags.id3Frame(3, 'APIC', zeros(6_000_000)))), mp3(40)),
  ],
  ['AAC, ID3', 'aac', bytes(wavTag, [0xff, 0xf1, 0x50, 0x80, 12, 0x9f, 0xfc], zeros(93))],
  ['FLAC behind ID3', 'flac', bytes(wavTag, 'fLaC', [0x80, 0, 0, 34], zeros(34))],
  ['WAV, LIST before the sound', 'wav', tags.wavOf([tags.infoList(['IART', 'x'], ['ICMT', STRINGS])], zeros(800), [])],
  [
    'WAV, LIST after the sound',
    'wav',
    tags.wavOf([], zeros(801), [tags.infoList(['ISFT', 'Lavf'], ['ICMT', STRINGS])]),
  ],
  ['WAV, ID3 after the sound', 'wav', tags.wavOf([], zeros(800), [riffChunk('id3 ', wavTag)])],
  ['WAV, ID3 under its other name', 'wav', tags.wavOf([riffChunk('ID3 ', wavTag)], zeros(800), [])],
  ['GIF, a comment first', 'gif', tags.gifOf([tags.gifComment(STRINGS)])],
  [
    'GIF, a comment behind an extension without a name',
    'gif',
    tags.gifOf([bytes([0x21, 0xff, 0]), tags.gifComment(STRINGS)]),
  ],
  ['GIF, a comment last', 'gif', tags.gifOf([], [tags.gifXmp('<x/>')], [tags.gifComment(OBJECTS)])],
  ['APNG, comf after the pixels', 'apng', apng()],
  ['SVG, CDATA', 'svg', svg(`<metadata>\n<![CDATA[${STRINGS}]]>\n</metadata>`)],
  [
    'SVG, CDATA with markup in it',
    'svg',
    svg(`<metadata id="m"><![CDATA[${OBJECTS.replace('"other"', '"</metadata> other"')}]]></metadata>`),
  ],
  [
    'SVG, two CDATA sections',
    'svg',
    svg(`<metadata><![CDATA[${OBJECTS.slice(0, 90)}]]><![CDATA[${OBJECTS.slice(90)}]]></metadata>`),
  ],
  ['SVG, escaped', 'svg', svg(`<metadata>${escaped(STRINGS)}</metadata>`)],
  [
    'SVG, with a prefix',
    'svg',
    svg(`<svg:metadata xmlns:svg="http://www.w3.org/2000/svg"><![CDATA[${OBJECTS}]]></svg:metadata>`),
  ],
  ['glTF, objects', 'gltf', utf8(gltf(OBJECTS))],
  ['glTF, JSON in JSON', 'gltf', utf8(gltf(STRINGS))],
  ['GLB, objects', 'glb', tags.glb(gltf(OBJECTS))],
  ['GLB, JSON in JSON', 'glb', tags.glb(gltf(STRINGS))],
  ['MP4, a comment under a key', 'mp4', keyed('comment', STRINGS)],
  ['MP4, objects under a key', 'mp4', keyed('metadata', OBJECTS)],
  ['PNG, a comment', 'png', pngOf(tEXt('Comment', OBJECTS))],
  ['JPEG, EXIF', 'jpg', jpegOf(exifSegment(exif({ UserComment: unicodeComment(OBJECTS) })))],
  ['WebP, EXIF', 'webp', webpOf(8, riffChunk('EXIF', exif({ UserComment: unicodeComment(STRINGS, 'le') })))],
];

function filledTo(size: number): Uint8Array {
  const own = bytes('\x03vorbis', tags.comments({ ...TEXTS, PAD: '' }));
  return bytes('\x03vorbis', tags.comments({ ...TEXTS, PAD: ' '.repeat(size - own.length) }));
}

function apng(): Uint8Array {
  const whole = pngOf(pngChunk('acTL', zeros(8)));
  const after = Object.entries(TEXTS).map(([name, text]) => pngChunk('comf', bytes(name.toLowerCase(), 0, text)));
  return bytes(whole.subarray(0, -12), ...after, whole.subarray(-12));
}
