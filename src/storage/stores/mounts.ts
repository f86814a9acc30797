import type { Driver } from '../driver.ts';
import type { Store } from './store.ts';

/** Maps between keys and the absolute paths at which a volume is mounted. */
export function mountsOf({ mounts }: Pick<Driver, 'mounts'>): Pick<Store, 'keyAt' | 'mountedPath'> {
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
