import { MEDIA_TYPES, type MediaKind, type MediaType, otherNames } from '../../src/media/media-type.ts';
import { NEEDS_NAME } from '../../src/media/named-types.ts';

const KINDS: readonly (readonly [MediaKind, string])[] = [
  ['image', 'Images'],
  ['video', 'Video'],
  ['audio', 'Audio'],
  ['model', '3D'],
];

/** By extension: the name of the format, and what proves it. */
const FORMATS: Readonly<Record<string, readonly [name: string, proof: string]>> = {
  png: ['PNG', 'signature, and a first chunk IHDR with a known depth'],
  apng: ['Animated PNG', 'a PNG with an `acTL` chunk before its pixels'],
  jpg: ['JPEG', 'consecutive segments up to a frame header'],
  gif: ['GIF', 'signature, and counted blocks up to an image'],
  webp: ['WebP', 'RIFF, and the header of a VP8, VP8L or VP8X chunk'],
  avif: ['AVIF', 'brands of its `ftyp` box'],
  heic: ['HEIC', 'brands of its `ftyp` box'],
  heif: ['HEIF', 'brands of its `ftyp` box'],
  jxl: ['JPEG XL', 'signature of its boxes, or of the bare codestream with no text behind it'],
  tif: ['TIFF, BigTIFF', 'byte order, version, and a directory of known field types'],
  bmp: ['BMP', 'sizes of its headers, one plane, a known depth'],
  ico: ['Icon', 'a directory whose entries point behind it'],
  jp2: ['JPEG 2000', 'signature box and brand'],
  psd: ['Photoshop', 'signature, version, number of channels'],
  svg: ['SVG', 'the root element of a well-formed XML'],
  exr: ['OpenEXR', 'signature, version, known flags, a first attribute'],
  hdr: ['Radiance HDR', '`#?RADIANCE` or `#?RGBE`, `FORMAT`, the line of the resolution, a scanline of that length'],
  ktx2: ['KTX 2', 'signature, one or six faces'],
  ktx: ['KTX', 'signature, byte order, one or six faces'],
  dds: ['DirectDraw Surface', 'signature, sizes of its two structures'],
  qoi: ['QOI', 'signature, size, channels and colour space'],
  tga: [
    'TGA',
    'fields of the header that agree; at the end, a length that agrees with the pixels, or the footer of TGA 2',
  ],
  mp4: ['MP4', 'brands of its `ftyp` box or known boxes, with a video track'],
  m4v: ['M4V', 'brand of its `ftyp` box'],
  mov: ['QuickTime', 'brand of its `ftyp` box, or consecutive known boxes'],
  webm: ['WebM', 'EBML header with that DocType, and a video track'],
  mkv: ['Matroska', 'EBML header with that DocType, and a video track'],
  avi: ['AVI', 'RIFF, and a list of headers'],
  '3gp': ['3GPP', 'brand of its `ftyp` box'],
  '3g2': ['3GPP2', 'brand of its `ftyp` box'],
  ogv: ['Ogg video', 'pages, of which one begins a stream of Theora or OGM'],
  mpg: ['MPEG-1 and MPEG-2', 'a pack header or a sequence header with its fixed bits'],
  ts: ['MPEG transport stream', 'packets of 188 or 192 bytes with their sync bytes, and a table of programs'],
  mp3: ['MP3', 'three frames that agree; fewer when they are the whole file'],
  mp2: ['MPEG audio, layer 2', 'as MP3'],
  wav: ['WAV', 'RIFF, RF64 or BW64, and a `fmt ` chunk'],
  flac: ['FLAC', 'signature, and a first block of stream information'],
  ogg: ['Ogg audio', 'pages that begin a stream of Vorbis, FLAC or Speex'],
  opus: ['Opus', 'Ogg pages that begin a stream of Opus'],
  aac: ['AAC', 'three ADTS frames that agree; fewer when they are the whole file'],
  m4a: ['M4A', 'brand of its `ftyp` box, or MP4 with no video track'],
  '3ga': ['3GPP audio', '3GPP with no video track'],
  aif: ['AIFF', 'FORM, and a known chunk'],
  amr: ['AMR', 'signature, and a frame whose padding is zero'],
  mid: ['MIDI', 'header and a first track'],
  weba: ['WebM audio', 'WebM with no video track'],
  mka: ['Matroska audio', 'Matroska with no video track'],
  glb: ['glTF, binary', 'signature, version, and a first chunk of JSON'],
  gltf: ['glTF', 'JSON with `asset.version`; at the end, complete JSON'],
  stl: ['STL', '`solid` and a facet in text; in binary the length that the number of triangles gives'],
  obj: ['Wavefront OBJ', 'each line is a statement, and one is a vertex; text to its end'],
  usdz: ['USDZ', 'a ZIP whose first entry is a stored layer of USD'],
  ply: ['PLY', 'first lines of its header'],
  fbx: ['FBX', 'signature; in text its comment, header and version, and text to its end'],
  dae: ['COLLADA', 'the root element of an XML and its version'],
  '3mf': ['3MF', 'a ZIP with `[Content_Types].xml` and `3D/3dmodel.model`'],
  usda: ['USD, text', 'first line, metadata in parentheses, and then a prim; text to its end'],
  usdc: ['USD, binary', 'signature, version, place of its table of contents'],
  spz: ['Gaussian splats, SPZ', 'header of version 4, or a gzip stream that begins with an earlier one'],
  splat: [
    'Gaussian splats, .splat',
    '32 bytes each: finite numbers, and rotations of unit length; a whole number of splats',
  ],
  ksplat: ['Gaussian splats, .ksplat', 'header, and the length that its sections give'],
  blend: ['Blender', 'header and a first block'],
};

/** docs/media-types.md, from the table of types. */
export function mediaTypes(): string {
  const chapters = KINDS.map(([kind, title]) => {
    const rows = MEDIA_TYPES.filter(({ mediaType }) => mediaType === kind).map(row);
    return `## ${title}\n\n| format | MIME type | extensions | shown in a browser | recognised by |\n|---|---|---|---|---|\n${rows.join('\n')}\n`;
  });
  const named = [...NEEDS_NAME].map(([ext, when]) => `| \`.${ext}\` | ${formatOf(ext)[0]} | ${when} |`);
  return `<!-- Generated from src/media/media-type.ts, src/media/named-types.ts and tools/docs/media-types.ts by 'npm run docs'; do not edit. -->
# Media types

The service stores these formats and refuses all others with \`unsupported_media\` ([errors.md](errors.md)). The bytes decide the type,
whatever the file is called. The structure behind the signature must match, so HTML behind the first bytes of a picture is refused.
A format that is not shown in a browser is served as a download. Other MIME types and extensions of a format are accepted in requests.

## Formats that need a name

A file of these formats is recognised only when its filename (\`filename\`, the name of the multipart part, or the URL's last part)
or its content type says so. The structure must match all the same.

| extension | format | when |
|---|---|---|
${named.join('\n')}

${chapters.join('\n')}`;
}

function formatOf(ext: string): readonly [name: string, proof: string] {
  const format = FORMATS[ext];
  if (format === undefined) throw new Error(`tools/docs/media-types.ts does not say how .${ext} is recognised`);
  return format;
}

function row(type: MediaType): string {
  const [name, proof] = formatOf(type.ext);
  const names = otherNames(type);
  const code = (texts: readonly string[]): string => texts.map((text) => `\`${text}\``).join(', ');
  const mimes = [type.mime, ...names.filter((each) => each.includes('/'))];
  const extensions = [type.ext, ...names.filter((each) => !each.includes('/'))].map((ext) => `.${ext}`);
  return `| ${name} | ${code(mimes)} | ${code(extensions)} | ${type.inline ? 'yes' : 'no'} | ${proof} |`;
}
