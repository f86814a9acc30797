import { createHash, randomBytes } from 'node:crypto';
import { AppError } from '../errors.ts';

/** Longest name of a file or folder in bytes; file systems allow 255, and a suffix must still fit. */
const MAX_SEGMENT_BYTES = 200;
const MAX_KEY_BYTES = 1000;
const MAX_SUBFOLDERS = 8;

/**
 * A user's folder: an injective escape, so that no two users ever share one, whatever their ids and whether or not the file
 * system ignores case. `a-z 0-9 -` stand for themselves, `_` begins an escape of one UTF-8 byte. An id whose escape would be too
 * long becomes a hash; it starts with `_h`, which no escape does.
 */
export function userFolder(userId: string): string {
  const bytes = Buffer.from(userId, 'utf8');
  let out = '';
  for (const byte of bytes) {
    const plain = (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte === 0x2d;
    out += plain ? String.fromCharCode(byte) : `_${byte.toString(16).padStart(2, '0')}`;
  }
  if (RESERVED.test(out)) out = `_${out.charCodeAt(0).toString(16)}${out.slice(1)}`;
  return out.length <= MAX_SEGMENT_BYTES ? out : `_h${hash(bytes)}`;
}

/** Device names of Windows, which refuses them in any folder and with any extension; superscript digits count too. */
const RESERVED = /^(con|prn|aux|nul|(com|lpt)[0-9\u00b9\u00b2\u00b3])$/i;

/**
 * Makes a caller's text a key segment: NFC; letters, digits, `-` and `_` of any script stay, everything else becomes `-`. Empty
 * when nothing usable is left.
 */
export function safeSegment(text: string, maxBytes = MAX_SEGMENT_BYTES): string {
  const cleaned = text
    .normalize('NFC')
    .replace(/[^\p{L}\p{M}\p{N}_-]+/gu, '-')
    .replace(/^-+|(?<!-)-+$/g, '');
  const cut = cutBytes(cleaned, maxBytes).replace(/(?<!-)-+$/, '');
  return RESERVED.test(cut) ? `${cut}-` : cut;
}

/** The longest prefix of `text` with at most `maxBytes` bytes in UTF-8 that splits no character. */
export function cutBytes(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  let bytes = 0;
  let out = '';
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxBytes) break;
    out += character;
  }
  return out;
}

function unique(): string {
  return randomBytes(8).toString('hex');
}

/** A caller's `subfolder` (`a/b`), segment by segment. @throws AppError invalid_request when a segment is `.`, `..` or unusable. */
function subfolders(subfolder: string): string[] {
  const segments = subfolder.split(/[/\\]/);
  if (segments.length > MAX_SUBFOLDERS) {
    throw new AppError('invalid_request', `subfolder may have at most ${MAX_SUBFOLDERS} levels.`, {
      field: 'subfolder',
    });
  }
  return segments.map((segment) => {
    const safe = safeSegment(segment, 64);
    if (safe === '') {
      throw new AppError(
        'invalid_request',
        "subfolder must be names joined by '/', each with at least one letter or digit; no '.', '..' or empty names.",
        { field: 'subfolder' },
      );
    }
    return safe;
  });
}

export interface OutputKeyParts {
  userId: string;
  subfolder?: string | undefined;
  /** The caller's name for the file; its extension is dropped. */
  filename?: string | undefined;
  /** Extension of the detected type, without a dot. */
  ext: string;
}

/** `outputs/{user}/[{subfolder}/]{name}-{unique}.{ext}` */
export function outputKey({ userId, subfolder, filename, ext }: OutputKeyParts): string {
  const stem = (filename ?? '').replace(/\.[^.]{1,10}$/, '');
  const name = safeSegment(stem, 100) || 'media';
  const folders = subfolder === undefined || subfolder === '' ? [] : subfolders(subfolder);
  return ['outputs', userFolder(userId), ...folders, `${name}-${unique()}.${ext}`].join('/');
}

/** `projects/{projectId}/scenes/{sceneId}_{timestamp}-{unique}.{ext}`; the timestamp is in milliseconds since 1970. */
export function sceneKey(projectId: string, sceneId: string, ext: string): string {
  const scene = safeSegment(sceneId, 100) || 'scene';
  return `projects/${projectId.toLowerCase()}/scenes/${scene}_${Date.now()}-${unique()}.${ext}`;
}

/** The texts of a run, next to its outputs: the only objects that are ever replaced. */
export const RUN_FILES = ['metadata.json', 'input_text.txt', 'transformed_text.txt'] as const;
export type RunFile = (typeof RUN_FILES)[number];

/** `runs/{runId}/`; everything below belongs to one run. */
export function runFolder(runId: string): string {
  return `runs/${runId}/`;
}

/** `runs/{runId}/output_{type}[_{n}].{ext}`; the first of a type has no number. */
export function runKey(runId: string, type: string, n: number, ext: string): string {
  return `${runFolder(runId)}output_${type}${n === 1 ? '' : `_${n}`}.${ext}`;
}

/** The slot that an output's name stands for; undefined for a name that runs do not use. */
export function runSlotOf(filename: string): { type: string; n: number } | undefined {
  const [, type, n = '1'] =
    /^output_(image|audio|video|model)(?:_([1-9][0-9]{0,8}))?\.[A-Za-z0-9]{1,20}$/.exec(filename) ?? [];
  return type === undefined ? undefined : { type, n: Number(n) };
}

/**
 * A key for another copy of our object: next to the old one, with a new unique part. Keys are never reused, so that a delayed
 * deletion by a store hits only its own object.
 */
export function copyKey(key: string): string {
  const folders = key.split('/');
  const name = folders.pop() ?? '';
  const ext = /\.[^.]{1,20}$/u.exec(name)?.[0] ?? '';
  const stem = name.slice(0, name.length - ext.length).replace(/-[0-9a-f]{16}$/, '');
  return [...folders, `${cutBytes(stem, MAX_SEGMENT_BYTES)}-${unique()}${ext}`].join('/');
}

/**
 * Checks a key before any driver sees it, ours or a caller's (`source.key`).
 * @throws AppError invalid_key: absolute, empty or dot segments, backslashes, control characters, too long.
 */
export function checkKey(key: string): void {
  const problem = keyProblem(key);
  if (problem !== undefined) throw new AppError('invalid_key', `The key ${problem}.`, { field: 'key' });
}

function keyProblem(key: string): string | undefined {
  if (key === '') return 'is empty';
  if (!key.isWellFormed()) return 'is not valid Unicode';
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) return `is longer than ${MAX_KEY_BYTES} bytes`;
  // oxlint-disable-next-line no-control-regex -- control characters are what this looks for
  if (/[\u0000-\u001f\u007f\\]/.test(key)) return 'holds a control character or a backslash';
  for (const segment of key.split('/')) {
    if (segment === '') return "starts or ends with '/' or holds '//'";
    if (segment.startsWith('.')) return "has a name that starts with '.'";
    if (Buffer.byteLength(segment) > 255) return 'has a name of more than 255 bytes';
  }
  return undefined;
}

function hash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
