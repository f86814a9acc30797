import type { TSchema } from 'typebox';
import { expect, test } from 'vitest';
import { SETTINGS } from '../../src/config/settings.ts';
import { storeSettings } from '../../src/config/stores.ts';

/** Every setting, those of each kind of store too, and whether it is a secret: not shown in messages, and also read from a file. */
const all = [SETTINGS, ...Object.values(storeSettings())].flatMap(({ properties }) =>
  Object.entries(properties as Record<string, TSchema & { secret?: boolean }>).map(([name, { secret }]) => ({
    name,
    isSecret: secret === true,
  })),
);

test('each setting whose name speaks of a secret is one, and no other', () => {
  const SPEAKS = /(^|_)(SECRET|TOKEN|PASSWORD|ACCESS_KEY_ID|PRIVATE_KEY|SIGNING_KEYS|DATABASE_URL)(_|$)/;
  // The address of the database holds its password.
  const secrets = all.filter(({ isSecret }) => isSecret).map(({ name }) => name);
  const speaking = all.filter(({ name }) => SPEAKS.test(name)).map(({ name }) => name);
  expect(secrets.toSorted((a, b) => a.localeCompare(b))).toEqual(speaking.toSorted((a, b) => a.localeCompare(b)));
  expect(secrets.length).toBeGreaterThan(8);
});
