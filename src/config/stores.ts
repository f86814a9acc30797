import { type Static, type TObject, Type } from 'typebox';
import { check, words } from './check.ts';
import { shownValue } from './shown-value.ts';
import type { SETTINGS } from './settings.ts';
import { DRIVERS, type DriverKind } from '../storage/stores/registry.ts';

export interface StoreConfig {
  name: string;
  driver: string;
  kind: DriverKind;
  settings: Record<string, unknown>;
}

const STORE_NAME = /^[a-z][a-z0-9-]{0,39}$/;

/** Reads the configured stores and those that a setting routes to. Adds one line to `problems` for each mistake. */
export function loadStores(
  {
    settings,
    env,
    dataDir,
    drivers,
  }: {
    settings: Pick<Static<typeof SETTINGS>, 'STORES' | 'STORAGE_PRIMARY' | 'STORAGE_FALLBACKS' | 'STORAGE_MIRRORS'>;
    env: Readonly<Record<string, string>>;
    dataDir: string;
    drivers: Readonly<Record<string, DriverKind>>;
  },
  problems: string[],
): StoreConfig[] {
  const wanted = new Map<string, string>();
  for (const entry of words(settings.STORES)) {
    const [name = '', driver = ''] = entry.split(':');
    if (!STORE_NAME.test(name) || !(driver in drivers)) {
      problems.push(
        `STORES: "${shownValue(entry)}" is not usable; allowed: name:driver, a name of a-z, 0-9 and '-', and one of the drivers ${Object.keys(drivers).join(', ')}`,
      );
    } else if (name in drivers || wanted.has(name)) {
      problems.push(`STORES: the name "${name}" is taken; allowed: a name that no driver and no other store bears`);
    } else wanted.set(name, driver);
  }
  const defaultsOf = (driver: string) => drivers[driver]?.defaults?.({ dataDir }) ?? {};
  const isComplete = (driver: string) => {
    const { required = [] } = drivers[driver]?.settings ?? {};
    const given = new Set(Object.keys(defaultsOf(driver)));
    return required.every((name) => given.has(name) || env[`${driver.toUpperCase()}_${name}`] !== undefined);
  };
  // A default store exists when a setting routes to it, or when all its settings are set: it may still hold items.
  const routed = [
    settings.STORAGE_PRIMARY ?? 'local',
    ...words(settings.STORAGE_FALLBACKS),
    ...words(settings.STORAGE_MIRRORS),
    ...Object.keys(drivers).filter((driver) => isComplete(driver)),
  ];
  for (const name of routed) if (name in drivers && !wanted.has(name)) wanted.set(name, name);
  return [...wanted].map(([name, driver]) => {
    const kind = drivers[driver];
    if (!kind) throw new Error(`no driver ${driver}`);
    const prefix = `${name.toUpperCase().replaceAll('-', '_')}_`;
    const defaults = name === driver ? defaultsOf(driver) : {};
    const values = {
      ...Object.fromEntries(Object.entries(defaults).map(([key, value]) => [prefix + key, value])),
      ...env,
    };
    return { name, driver, kind, settings: check<Record<string, unknown>>(kind.settings, values, prefix, problems) };
  });
}

/** The settings of each kind of store, for docs/configuration.md. */
export function storeSettings(): Record<string, TObject> {
  return Object.fromEntries(
    Object.entries(DRIVERS).map(([name, kind]) => [name, Type.Object(kind.settings.properties)]),
  );
}
