import { readFileSync } from 'node:fs';
import type { TObject, TSchema } from 'typebox';
import { SETTINGS } from './settings.ts';
import { storeSettings } from './stores.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const SUFFIX = '_FILE';

function secretsOf({ properties }: TObject): string[] {
  return Object.entries(properties as Record<string, TSchema & { secret?: boolean }>)
    .filter(([, { secret }]) => secret === true)
    .map(([name]) => name);
}

const SECRETS = new Set(secretsOf(SETTINGS));
/** Of stores, whose settings begin with the store's name. */
const STORE_SECRETS = Object.values(storeSettings()).flatMap(secretsOf);

function isSecret(name: string): boolean {
  return SECRETS.has(name) || STORE_SECRETS.some((secret) => name.endsWith(`_${secret}`));
}

/**
 * The settings that are given. `FOO=${FOO:-}` in a compose file gives an empty value, which means "not set". A secret may also
 * stand in a file that `{NAME}_FILE` names, as orchestrators mount them. Adds one line to `problems` for each mistake.
 * @param names the settings that will be read; a file of another one is not opened. Undefined: all
 */
export function given(env: Environment, problems: string[], names?: readonly string[]): Record<string, string> {
  const values = Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => !!entry[1]?.trim()),
  );
  for (const [key, file] of Object.entries(values)) {
    const name = key.slice(0, -SUFFIX.length);
    if (!key.endsWith(SUFFIX) || !isSecret(name) || names?.includes(name) === false) continue;
    if (values[name] !== undefined) problems.push(`${key}: ${name} is set, too; give one of the two`);
    else {
      const secret = secretIn(key, file, problems);
      if (secret !== '') values[name] = secret;
    }
  }
  return values;
}

function secretIn(key: string, file: string, problems: string[]): string {
  try {
    const text = readFileSync(file, 'utf8').trim();
    if (text === '') problems.push(`${key}: the file ${file} is empty`);
    return text;
  } catch (error) {
    problems.push(`${key}: the file ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
    return '';
  }
}
