import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../../src/config/load-config.ts';
import { shownValue } from '../../src/config/shown-value.ts';

test('a URL keeps its scheme, host and path, and loses what may be secret', () => {
  expect(shownValue('postgres://me:pass@db:5432/x?password=a')).toBe('postgres://(hidden)@db:5432/x');
  expect(shownValue('https://media.test/keep/')).toBe('https://media.test/keep/');
  expect(shownValue('http://a:b@one, http://c:d@two')).toBe('http://(hidden)@one, http://(hidden)@two');
  expect(shownValue('local')).toBe('local');
});

/** A password as people write it, unescaped; '@' last would make the host ambiguous. */
const password = fc
  .string({ minLength: 12, maxLength: 40, unit: fc.constantFrom(...'abcdefXYZ0189/?#%:!$&()*+=[]@,'.split('')) })
  .map((text) => `Secret${text}`);

const SINGLE = new Set(['PUBLIC_BASE_URL', 'JWT_JWKS_URL', 'COMFYUI_URL', 'DATABASE_URL', 'S3_ENDPOINT']);
/** In a list, a comma ends an entry. */
const SETTINGS = [
  ...SINGLE,
  'CORS_ORIGINS',
  'EXTERNAL_URL_HOSTS',
  'FETCH_TRUSTED_HOSTS',
  'TRUSTED_PROXIES',
  'STORES',
  'STORAGE_PRIMARY',
  'PORT',
  'LOCAL_MOUNT_ALIASES',
];

test('no message about a setting shows the password of a URL in it', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...SETTINGS),
      password,
      fc.constantFrom('https', 'postgres', 'ftp'),
      (name, text, scheme) => {
        const secret = SINGLE.has(name) ? text : text.replaceAll(',', ';');
        let message = '';
        try {
          loadConfig({ [name]: `${scheme}://me:${secret}@host.test/x y`, S3_BUCKET: 'b' });
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          ({ message } = error);
        }
        expect(message).not.toContain(secret.slice(0, 12));
      },
    ),
    // Each run compiles all settings.
    { numRuns: 40 },
  );
});
