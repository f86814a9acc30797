export type MediaKind = 'image' | 'audio' | 'video' | 'model';

export interface MediaType {
  mime: string;
  /** Without a dot. Unique in the table, while one MIME type may have several. */
  ext: string;
  mediaType: MediaKind;
  /** Whether a browser may show it inline: true for raster images, audio and video; false for SVG, 3D and project files. */
  inline: boolean;
}

type Row = readonly [mime: string, ext: string, mediaType: MediaKind, inline: boolean, ...aliases: string[]];

/** Aliases with a slash are MIME types, those without are extensions. */
const ROWS: readonly Row[] = [
  ['image/png', 'png', 'image', true, 'image/x-png'],
  ['image/apng', 'apng', 'image', true, 'image/vnd.mozilla.apng'],
  ['image/jpeg', 'jpg', 'image', true, 'image/jpg', 'image/pjpeg', 'jpeg', 'jpe', 'jfif'],
  ['image/gif', 'gif', 'image', true],
  ['image/webp', 'webp', 'image', true],
  ['image/avif', 'avif', 'image', true, 'image/avif-sequence', 'avifs'],
  ['image/heic', 'heic', 'image', true, 'image/heic-sequence', 'heics'],
  ['image/heif', 'heif', 'image', true, 'image/heif-sequence', 'heifs', 'hif'],
  ['image/jxl', 'jxl', 'image', true],
  ['image/tiff', 'tif', 'image', true, 'image/x-tiff', 'tiff'],
  ['image/bmp', 'bmp', 'image', true, 'image/x-bmp', 'image/x-ms-bmp', 'dib'],
  ['image/x-icon', 'ico', 'image', true, 'image/vnd.microsoft.icon', 'image/ico'],
  ['image/jp2', 'jp2', 'image', true, 'image/jpeg2000', 'image/jpx', 'jpx', 'jpf'],
  ['image/vnd.adobe.photoshop', 'psd', 'image', false, 'image/x-photoshop', 'application/x-photoshop', 'image/psd'],
  // A script in an SVG runs when the file is opened as a document.
  ['image/svg+xml', 'svg', 'image', false, 'image/svg'],
  // `image/aces` is registered for a kind of OpenEXR.
  ['image/x-exr', 'exr', 'image', false, 'image/aces'],
  ['image/vnd.radiance', 'hdr', 'image', false, 'rgbe', 'xyze'],
  ['image/ktx2', 'ktx2', 'image', false],
  ['image/ktx', 'ktx', 'image', false],
  ['image/vnd.ms-dds', 'dds', 'image', false, 'image/vnd-ms.dds', 'image/x-dds'],
  ['image/qoi', 'qoi', 'image', false, 'image/x-qoi'],
  ['image/x-tga', 'tga', 'image', false, 'image/x-targa', 'image/targa', 'image/tga', 'targa', 'icb', 'vda', 'vst'],

  ['audio/mpeg', 'mp3', 'audio', true, 'audio/mp3', 'audio/x-mp3', 'audio/x-mpeg', 'audio/mpeg3'],
  ['audio/mpeg', 'mp2', 'audio', true, 'audio/mp2', 'mpa'],
  ['audio/wav', 'wav', 'audio', true, 'audio/x-wav', 'audio/wave', 'audio/vnd.wave', 'audio/x-pn-wav', 'wave'],
  ['audio/flac', 'flac', 'audio', true, 'audio/x-flac'],
  ['audio/ogg', 'ogg', 'audio', true, 'audio/x-ogg', 'audio/vorbis', 'application/ogg', 'oga', 'spx'],
  ['audio/ogg', 'opus', 'audio', true, 'audio/opus'],
  ['audio/aac', 'aac', 'audio', true, 'audio/x-aac', 'audio/aacp', 'audio/x-hx-aac-adts', 'adts'],
  ['audio/mp4', 'm4a', 'audio', true, 'audio/x-m4a', 'audio/m4a', 'audio/x-m4b', 'm4b', 'm4r'],
  ['audio/aiff', 'aif', 'audio', true, 'audio/x-aiff', 'aiff', 'aifc'],
  ['audio/amr', 'amr', 'audio', true, 'audio/amr-wb', 'audio/x-amr', 'awb'],
  ['audio/midi', 'mid', 'audio', true, 'audio/x-midi', 'audio/mid', 'midi'],
  ['audio/3gpp', '3ga', 'audio', true],
  ['audio/webm', 'weba', 'audio', true],
  ['audio/matroska', 'mka', 'audio', true, 'audio/x-matroska'],

  ['video/mp4', 'mp4', 'video', true, 'application/mp4', 'f4v', 'mpg4'],
  ['video/mp4', 'm4v', 'video', true, 'video/x-m4v', 'video/m4v'],
  ['video/quicktime', 'mov', 'video', true, 'video/mov', 'qt'],
  ['video/webm', 'webm', 'video', true],
  ['video/matroska', 'mkv', 'video', true, 'video/x-matroska'],
  ['video/x-msvideo', 'avi', 'video', true, 'video/vnd.avi', 'video/avi', 'video/msvideo'],
  ['video/3gpp', '3gp', 'video', true, '3gpp'],
  ['video/3gpp2', '3g2', 'video', true, 'audio/3gpp2'],
  ['video/ogg', 'ogv', 'video', true, 'video/x-ogg', 'video/theora'],
  ['video/mpeg', 'mpg', 'video', true, 'video/x-mpeg', 'video/mp1s', 'video/mp2p', 'mpeg', 'm1v', 'm2v', 'vob'],
  ['video/mp2t', 'ts', 'video', false, 'video/vnd.dlna.mpeg-tts', 'mts', 'm2ts', 'm2t'],

  ['model/gltf-binary', 'glb', 'model', false],
  ['model/gltf+json', 'gltf', 'model', false],
  ['model/stl', 'stl', 'model', false, 'model/x.stl-binary', 'model/x.stl-ascii', 'application/sla'],
  ['model/obj', 'obj', 'model', false, 'application/x-tgif', 'text/obj'],
  ['model/vnd.usdz+zip', 'usdz', 'model', false, 'model/usdz'],
  ['model/ply', 'ply', 'model', false, 'model/x-ply', 'application/ply'],
  // Autodesk registered no MIME type.
  ['model/x-fbx', 'fbx', 'model', false, 'application/vnd.autodesk.fbx', 'application/x-ft-fbx', 'model/fbx'],
  ['model/vnd.collada+xml', 'dae', 'model', false],
  ['model/3mf', '3mf', 'model', false, 'application/vnd.ms-package.3dmanufacturing-3dmodel+xml'],
  ['model/vnd.usda', 'usda', 'model', false],
  ['model/vnd.usdc', 'usdc', 'model', false, 'model/vnd.usd', 'usd'],
  // Nobody registered types for the formats below.
  ['model/x-spz', 'spz', 'model', false, 'model/spz', 'application/x-spz'],
  ['model/x-splat', 'splat', 'model', false, 'model/splat'],
  ['model/x-ksplat', 'ksplat', 'model', false],
  ['model/x-blender', 'blend', 'model', false, 'application/x-blender'],
];

const byMime = new Map<string, MediaType>();
const byExtension = new Map<string, MediaType>();
const aliasesOf = new Map<MediaType, readonly string[]>();

/** All media types that the service stores. Files of other types are refused. */
export const MEDIA_TYPES: readonly MediaType[] = ROWS.map(([mime, ext, mediaType, inline, ...aliases]) => {
  const type = Object.freeze({ mime, ext, mediaType, inline });
  for (const name of [mime, ext, ...aliases]) {
    const index = name.includes('/') ? byMime : byExtension;
    if (!index.has(name)) index.set(name, type);
  }
  aliasesOf.set(type, aliases);
  return type;
});

/** Other names under which a type is known: MIME types (with a slash) and extensions. */
export function otherNames(type: MediaType): readonly string[] {
  return aliasesOf.get(type) ?? [];
}

/**
 * Finds the type of a Content-Type value such as `image/PNG`, `audio/x-wav` or `video/mp4; codecs="avc1"`.
 * Case and parameters are ignored, and common aliases are known. Undefined when the service does not store such media.
 */
export function mediaTypeByMime(mime: string): MediaType | undefined {
  return byMime.get(mime.split(';', 1)[0]!.trim().toLowerCase());
}

/** Finds the type of a file extension, with or without its dot, in any case. */
export function mediaTypeByExtension(ext: string): MediaType | undefined {
  return byExtension.get(ext.replace(/^\./, '').toLowerCase());
}

/** Of containers for video, the type of those that hold sound alone. */
const SOUND_ALONE = new Map([
  ['video/mp4', 'm4a'],
  ['video/3gpp', '3ga'],
  ['video/3gpp2', 'm4a'],
  ['video/webm', 'weba'],
  ['video/matroska', 'mka'],
]);

/** The type of a container whose tracks are known. Their list may stand at the end of a file, behind what its type was sniffed from. */
export function typeOfTracks(type: MediaType, tracks: ReadonlySet<'audio' | 'video'>): MediaType {
  const sound = tracks.has('audio') && !tracks.has('video') ? SOUND_ALONE.get(type.mime) : undefined;
  return (sound === undefined ? undefined : byExtension.get(sound)) ?? type;
}

/** Types whose files look alike from outside: the same container, or a still and a moving picture. */
const FAMILIES: readonly (readonly string[])[] = [
  ['video/mp4', 'video/quicktime', 'audio/mp4', 'video/3gpp', 'audio/3gpp', 'video/3gpp2'],
  ['video/webm', 'audio/webm', 'video/matroska', 'audio/matroska'],
  ['audio/ogg', 'video/ogg'],
  ['image/png', 'image/apng'],
  ['image/heic', 'image/heif', 'image/avif'],
  ['model/gltf-binary', 'model/gltf+json'],
  ['video/mpeg', 'video/mp2t'],
  ['image/ktx', 'image/ktx2'],
  ['model/vnd.usda', 'model/vnd.usdc'],
];
const familyOf = new Map(FAMILIES.flatMap((family, index) => family.map((mime) => [mime, index] as const)));

/** Whether a browser that sees a file's name alone could take one type for the other. */
export function isOfFamily(mime: string, other: string): boolean {
  const family = familyOf.get(mime);
  return mime === other || (family !== undefined && family === familyOf.get(other));
}
