/** What the file system of a volume can do, as tried. */
export interface Traits {
  /** Why a hard link cannot be made, a system code; undefined: it can. */
  noLinks: string | undefined;
  /** Why a folder cannot be synced, a system code; undefined: it can. */
  noFolderSync: string | undefined;
  /** `A` and `a` are one file. */
  ignoresCase: boolean;
  /** `é` and `e` with an accent (NFC and NFD) are one name. */
  ignoresForm: boolean;
}

/** What the file system below a volume can do: tried when the volume is opened, and again when it may have changed. */
export interface FileSystem {
  /** @throws StorageError MISCONFIGURED, or the file system's error when it cannot be tried */
  current(): Promise<Traits>;
  /** As last tried; before that, what can be seen without writing. */
  known(): Traits;
  /** The next write tries again: the volume was mounted anew. */
  forget(): void;
  /** For operators; undefined: not tried yet. */
  description(): string | undefined;
  /** Names that the file system takes for one and the same give one text. */
  folded(name: string): string;
  /** Makes new names in a folder durable, where the file system can. */
  sync(folder: string): Promise<void>;
}

/** Codes with which a file system that has no hard links, or a server that forbids them, answers `link`. */
export const NO_HARD_LINKS: ReadonlySet<string> = new Set([
  'EACCES',
  'EINVAL',
  'EIO',
  'EMLINK',
  'ENOSYS',
  'ENOTSUP',
  'EOPNOTSUPP',
  'EPERM',
  'EXDEV',
]);

export const PROBE = '.mediakeep-probe-';

/** For operators, in one line. */
export function describeTraits({ noLinks, noFolderSync, ignoresCase, ignoresForm }: Traits): string {
  const facts = [
    noLinks === undefined
      ? 'new files get their name by a hard link'
      : `new files get their name by a rename, because hard links fail (${noLinks}): writers that share this mount never replace an object, writers on other mounts might`,
  ];
  if (noFolderSync !== undefined)
    facts.push(`folders cannot be synced (${noFolderSync}): a power failure may take back the newest names`);
  if (ignoresCase) facts.push('upper and lower case are not told apart: each name keeps its first spelling');
  if (ignoresForm) facts.push('NFC and NFD are not told apart: names are listed as NFC');
  return facts.join('; ');
}
