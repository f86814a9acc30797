import type { TObject, TSchema } from 'typebox';
import { SETTINGS } from '../../config/settings.ts';
import { shownValue } from '../../config/shown-value.ts';
import { storeSettings } from '../../config/stores.ts';

type Property = TSchema & { secret?: boolean };

/** The settings that the environment gives, without secrets: those are `(set)`, and URLs lose user, password and query. */
export function shownSettings(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const shown: Record<string, string> = {};
  const kinds = storeSettings();
  const stores = new Map(Object.keys(kinds).map((driver) => [driver, driver]));
  for (const entry of (env['STORES'] ?? '').split(',')) {
    const [name = '', driver = ''] = entry.trim().split(':');
    if (name !== '' && driver in kinds) stores.set(name, driver);
  }
  add(shown, SETTINGS, '', env);
  for (const [name, driver] of stores) {
    const settings = kinds[driver];
    if (settings) add(shown, settings, `${name.toUpperCase().replaceAll('-', '_')}_`, env);
  }
  return shown;
}

function add(
  shown: Record<string, string>,
  { properties }: TObject,
  prefix: string,
  env: Readonly<Record<string, string | undefined>>,
): void {
  for (const [name, property] of Object.entries(properties)) {
    const file = env[`${prefix}${name}_FILE`]?.trim();
    if (file && (property as Property).secret === true) shown[`${prefix}${name}_FILE`] = file;
    const value = env[prefix + name]?.trim();
    if (value) shown[prefix + name] = (property as Property).secret === true ? hidden(value) : shownValue(value);
  }
}

/** Where a database is, is worth knowing. */
function hidden(value: string): string {
  return value.includes('://') ? shownValue(value) : '(set)';
}
