import { mediaTypeByExtension, mediaTypeByMime } from '../../media/media-type.ts';
import { looksLikeBase64 } from '../base64.ts';
import { type OutputBytes, bytesOf } from './answer.ts';
import { NAMES_BYTES, NAMES_MEDIA } from './media-names.ts';

export interface Reading {
  /** The name of the nearest enclosing field, in snake case. */
  name: string;
  /** Every address counts, whatever its name. */
  anyName?: boolean;
  /** Only what is media for certain: by its ending, its beginning or its type. */
  strict?: boolean;
  /** The media type that stands beside it. */
  contentType?: string | undefined;
}

/** Addresses that only a store of this service, or nobody here, can read. */
const OTHER_SCHEME = /^(s3|gs|gcs|hf|az|azure|abfss?|wasbs?|oss|cos|r2|b2|minio|ftp|file):\/\//i;

/** The bytes that a text of an answer stands for: a URL, an address in a store, a data URI, base64 or hexadecimal digits. */
export function mediaIn(text: string, reading: Reading): OutputBytes | undefined {
  const trimmed = text.trim();
  if (/^data:(image|audio|video|model|application)\//i.test(trimmed)) return bytesOf(trimmed);
  const other = OTHER_SCHEME.test(trimmed);
  if (other || /^https?:\/\//i.test(trimmed)) {
    // A sentence may begin with an address.
    if (/\s/.test(trimmed) || !isFileAddress(trimmed, reading)) return undefined;
    return other ? { type: 'object', path: trimmed } : bytesOf(trimmed);
  }
  return bytesInDigits(trimmed, reading);
}

function isFileAddress(url: string, { name, anyName, strict, contentType }: Reading): boolean {
  const ext = extensionOf(url);
  if (ext !== undefined && (mediaTypeByExtension(ext) !== undefined || BESIDE.has(ext))) return true;
  if (contentType !== undefined && mediaTypeByMime(contentType) !== undefined) return true;
  return strict !== true && (anyName === true || NAMES_MEDIA.test(name));
}

/** Shorter texts are ids and hashes, which use the same letters. */
const MIN_DIGITS = 60;
const MIN_UNNAMED = 200;
const HEX = /^(?:[0-9a-f]*|[0-9A-F]*)$/;

function bytesInDigits(text: string, { name, strict }: Reading): OutputBytes | undefined {
  if (text.length < MIN_DIGITS || !looksLikeBase64(text)) return undefined;
  const isNamed = NAMES_BYTES.test(name);
  const mayBeHex = text.length % 2 === 0 && HEX.test(text.slice(0, 4096)) && HEX.test(text);
  if (
    mayBeHex &&
    (isKnownFile(Buffer.from(text.slice(0, 64), 'hex')) || (NAMES_MEDIA.test(name) && text.length >= MIN_UNNAMED))
  )
    return { type: 'base64', data: Buffer.from(text, 'hex').toString('base64') };
  const known = isKnownFile(Buffer.from(text.slice(0, 64), 'base64'));
  if (known || (strict !== true && (isNamed || (NAMES_MEDIA.test(name) && text.length >= MIN_UNNAMED))))
    return bytesOf(text);
  return undefined;
}

/** What files begin with, as latin1, at the given byte. */
const BEGINNINGS: readonly (readonly [at: number, text: string])[] = [
  [0, '\x89PNG'],
  [0, '\xff\xd8\xff'],
  [0, 'GIF8'],
  [0, 'RIFF'],
  [4, 'ftyp'],
  [0, 'glTF'],
  [0, 'OggS'],
  [0, 'fLaC'],
  [0, 'ID3'],
  [0, '\x1aE\xdf\xa3'],
  [0, '<svg'],
  [0, 'II*\0'],
  [0, 'MM\0*'],
  [0, '8BPS'],
  [0, '\xff\x0a'],
  [0, '\x76\x2f\x31\x01'],
  [0, '#?RADIANCE\n'],
  [0, '\xabKTX '],
  [0, 'DDS |\0'],
  [0, 'NGSP'],
  [0, 'PXR-USDC'],
  [0, 'BLENDER'],
];

function isKnownFile(head: Buffer): boolean {
  const text = head.toString('latin1');
  return BEGINNINGS.some(([at, beginning]) => text.startsWith(beginning, at));
}

/** Files that come beside results: weights, archives, subtitles, texts. */
const SIDE_EXTENSIONS = new Set(
  `zip tar gz tgz bz2 xz zst 7z rar safetensors ckpt pt pth onnx gguf pkl npz npy parquet latent json jsonl ndjson yaml yml toml xml
    csv tsv txt md srt vtt ass sub titles lrc log html htm pdf js css py ipynb mtl`.split(/\s+/),
);
/** Of these, the ones that are told wherever they stand; the others also end addresses of pages. */
const BESIDE = new Set(
  `zip tar gz tgz 7z rar safetensors ckpt pth onnx gguf pkl npz npy latent json jsonl srt vtt ass titles lrc mtl`.split(
    /\s+/,
  ),
);
const SIDE_TYPE =
  /^(text\/(?!obj)|application\/(json|zip|gzip|x-tar|x-zip|x-gzip|pdf|xml|yaml|x-subrip|x-ndjson|html)|application\/x-7z)/i;

/** What a file that is no media is, such as `.zip` or `text/vtt`; undefined when it may be media. */
export function sideFile(from: OutputBytes, filename?: string, contentType?: string): string | undefined {
  const address = from.type === 'url' ? from.url : from.type === 'object' ? from.path : undefined;
  const exts = [extensionOf(filename ?? ''), extensionOf(address ?? '')].filter((ext) => ext !== undefined);
  if (exts.some((ext) => mediaTypeByExtension(ext) !== undefined)) return undefined;
  if (contentType !== undefined && mediaTypeByMime(contentType) !== undefined) return undefined;
  const type =
    contentType ?? (from.type === 'base64' ? /^data:([^;,]{1,100})/i.exec(from.data.slice(0, 120))?.[1] : undefined);
  if (type !== undefined && SIDE_TYPE.test(type)) return type.slice(0, 100).split(';')[0];
  const ext = exts.find((each) => SIDE_EXTENSIONS.has(each));
  return ext && `.${ext}`;
}

/** The ending of a URL's path or a file name, in lower case, without the dot. */
function extensionOf(address: string): string | undefined {
  const path = /^[a-z][a-z0-9+.-]*:\/\//i.test(address)
    ? URL.canParse(address)
      ? (new URL(address).searchParams.get('filename') ?? new URL(address).pathname)
      : ''
    : address;
  return /\.([a-z0-9]{1,12})$/i.exec(path)?.[1]?.toLowerCase();
}
