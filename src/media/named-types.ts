/**
 * The types that are recognised only when the file's name or declared type says so, by extension, and in which case. All others are
 * recognised by their content alone. docs/media-types.md has the list.
 */
export const NEEDS_NAME: ReadonlyMap<string, string> = new Map([
  ['obj', 'always'],
  ['tga', 'always'],
  ['splat', 'always'],
  ['ksplat', 'always'],
  ['stl', 'binary, above 64 KiB'],
  ['gltf', 'when its `asset` lies beyond the first 64 KiB'],
  ['3mf', 'when its model lies beyond the first 64 KiB'],
  ['blend', 'compressed by gzip or Zstandard'],
  ['hdr', 'with plain pixels, above 64 KiB'],
  ['mp3', 'with junk before its first frame, or with fewer than two frames'],
  ['mp2', 'with junk before its first frame, or with fewer than two frames'],
  ['aac', 'with fewer than two frames'],
  ['flac', 'behind ID3 tags of more than 4 MiB'],
]);

const always = [...NEEDS_NAME].filter(([, when]) => when === 'always').map(([ext]) => `.${ext}`);
const others = [...NEEDS_NAME.keys()].map((ext) => `.${ext}`).filter((ext) => !always.includes(ext));

/** A sentence for callers whose file was not recognised. */
export const NAME_HINT = `Some files need a filename or a content type to be recognised: all ${always.join(', ')}, and some ${others.join(', ')}.`;
