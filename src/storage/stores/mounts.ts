import type { Driver } from '../driver.ts';

export interface Mounts {
  /** The key of an object that is named by an absolute path, here or where others have mounted the volume; undefined: not below either. */
  keyAt(path: string): string | undefined;
  /** The absolute path of an object where others have mounted the volume; undefined: nobody has. */
  mountedPath(key: string): string | undefined;
}

/** Keys of objects that are named by the paths at which a volume is mounted, and the other way round. */
export function mountsOf({ mounts }: Pick<Driver, 'mounts'>): Mounts {
  const { own = [], aliases = [] } = mounts ?? {};
  const bases = [...own, ...aliases].toSorted((a, b) => b.length - a.length).map(asFolder);
  const [alias] = aliases.map(asFolder);
  return {
    keyAt(path) {
      // `..` is not resolved: the check of the key refuses it.
      const base = bases.find((each) => path.startsWith(each));
      return base && path.slice(base.length).replaceAll(/\/{2,}/g, '/');
    },
    mountedPath: (key) => (alias === undefined ? undefined : alias + key),
  };
}

function asFolder(path: string): string {
  return `${path.replace(/(?<!\/)\/+$/, '')}/`;
}
