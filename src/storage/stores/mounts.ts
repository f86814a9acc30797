import type { Driver } from '../driver.ts';

export interface Mounts {
  /** The key for an absolute path, here or where others have mounted the volume; undefined: outside of both. */
  keyAt(path: string): string | undefined;
  /** The absolute path of an object where others have mounted the volume; undefined: no such mount. */
  mountedPath(key: string): string | undefined;
}

/** Maps between keys and the absolute paths at which a volume is mounted. */
export function mountsOf({ mounts }: Pick<Driver, 'mounts'>): Mounts {
  const { own = [], aliases = [] } = mounts ?? {};
  const bases = [...own, ...aliases].toSorted((a, b) => b.length - a.length).map(asFolder);
  const [alias] = aliases.map(asFolder);
  return {
    keyAt(path) {
      // `..` is not resolved: the key check refuses it.
      const base = bases.find((each) => path.startsWith(each));
      return base && path.slice(base.length).replaceAll(/\/{2,}/g, '/');
    },
    mountedPath: (key) => (alias === undefined ? undefined : alias + key),
  };
}

function asFolder(path: string): string {
  return `${path.replace(/(?<!\/)\/+$/, '')}/`;
}
