/** What GitHub allows: an owner of letters, digits and single hyphens; in a repository's name also `.` and `_`. */
const OWNER = /^[A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){0,38}$/;
const REPOSITORY = /^[A-Za-z0-9._-]{1,100}$/;

/** Splits `owner/name`; undefined when it is not a valid name. */
export function parseRepository(text: string): { owner: string; repo: string } | undefined {
  const [owner = '', repo = '', ...rest] = text.split('/');
  if (rest.length > 0 || !OWNER.test(owner) || !REPOSITORY.test(repo)) return undefined;
  if (repo === '.' || repo === '..' || repo.toLowerCase().endsWith('.git')) return undefined;
  return { owner, repo };
}

const MAX_BRANCH_BYTES = 244;

/**
 * Why a branch name is invalid, by the rules of `git check-ref-format --branch`; undefined when it is valid. A name that begins
 * with `refs/` is refused as well: git accepts it, but it misleads readers.
 */
export function branchProblem(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (!name.isWellFormed()) return 'is not valid Unicode';
  if (Buffer.byteLength(name) > MAX_BRANCH_BYTES) return `is longer than ${MAX_BRANCH_BYTES} bytes`;
  // oxlint-disable-next-line no-control-regex -- control characters are what this looks for
  if (/[\u0000-\u0020\u007f~^:?*[\\]/.test(name))
    return "holds a space, a control character or one of '~', '^', ':', '?', '*', '[', '\\'";
  if (name === '@' || name.includes('@{')) return "is '@' or holds '@{'";
  if (name.includes('..')) return "holds '..'";
  if (name.startsWith('-')) return "starts with '-'";
  if (name.endsWith('.')) return "ends with '.'";
  if (name.startsWith('refs/') || name === 'HEAD') return 'is a full reference; give the branch alone, like main';
  for (const part of name.split('/')) {
    if (part === '') return "starts or ends with '/' or holds '//'";
    if (part.startsWith('.') || part.endsWith('.lock')) return "has a part that starts with '.' or ends with '.lock'";
  }
  return undefined;
}

/** Why the folder of all objects is invalid; undefined when it is valid. */
export function directoryProblem(directory: string): string | undefined {
  if (!directory.isWellFormed()) return 'is not valid Unicode';
  if (Buffer.byteLength(directory) > 200) return 'is longer than 200 bytes';
  // oxlint-disable-next-line no-control-regex -- control characters are what this looks for
  if (/[\u0000-\u001f\u007f\\]/.test(directory)) return 'holds a control character or a backslash';
  for (const part of directory.split('/')) {
    if (part === '') return "is empty, starts or ends with '/', or holds '//'";
    if (part.startsWith('.')) return "has a part that starts with '.'";
    if (isDotGit(part)) return "has a part that some file system takes for '.git'";
  }
  return undefined;
}

/** Code points that HFS+ ignores when it compares names. */
const HFS_IGNORED = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;

/**
 * Whether a file system takes this name for `.git`: HFS+ ignores some characters; NTFS ignores trailing dots and spaces, streams
 * and short names. Git refuses such a tree, and with it every other file of the same commit.
 */
export function isDotGit(segment: string): boolean {
  return /^(?:\.git|git~1)[ .]*(?::.*)?$/is.test(segment.replace(HFS_IGNORED, ''));
}
