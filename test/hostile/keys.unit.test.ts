// Case numbers in titles are those of the table in docs/threat-model.md.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isAppError } from '../../src/errors.ts';
import { checkKey, cutBytes, outputKey, safeSegment, sceneKey, userFolder } from '../../src/storage/keys.ts';

const anyText = (maxLength = 260) => fc.string({ unit: 'binary', maxLength });
/** Texts that differ little, which reveal an escape that is not injective. */
const nearTexts = fc
  .array(fc.constantFrom('a', 'A', '_', '-', '.', '/', '61', '_61', '5f', 'h', 'é', 'e\u0301', 'con', ' '), {
    maxLength: 6,
  })
  .map((parts) => parts.join(''));
const hostileText = fc.oneof(
  anyText(),
  nearTexts,
  fc.constantFrom('..', '.', '', '/', '\\', 'CON', 'nul.txt', '.git', 'C:\\x', '//x', '*', 'a/../b'),
);
const bytesOf = (text: string) => Buffer.byteLength(text);

test('case 13: no two users share a folder, even where case is ignored', () => {
  fc.assert(
    fc.property(fc.oneof(anyText(), nearTexts), fc.oneof(anyText(), nearTexts), (one, other) => {
      fc.pre(one !== other && one.isWellFormed() && other.isWellFormed());
      expect(userFolder(one).toLowerCase()).not.toBe(userFolder(other).toLowerCase());
    }),
    { numRuns: 3000 },
  );
});

test('cases 1 to 12: the folder of any user is one name of a-z, 0-9, - and _ with at most 200 bytes', () => {
  fc.assert(
    fc.property(hostileText, (userId) => {
      fc.pre(userId !== '');
      expect(userFolder(userId)).toMatch(/^[a-z0-9_-]{1,200}$/);
      expect(userFolder(userId)).not.toMatch(/^(con|prn|aux|nul|com\d|lpt\d)$/);
    }),
    { numRuns: 2000 },
  );
});

test('cases 1 to 12: every generated key passes the check and stays below the folder of its user', () => {
  fc.assert(
    fc.property(
      hostileText.filter((userId) => userId !== ''),
      fc.option(hostileText, { nil: undefined }),
      fc.option(hostileText, { nil: undefined }),
      (userId, subfolder, filename) => {
        let key: string;
        try {
          key = outputKey({ userId, subfolder, filename, ext: 'png' });
        } catch (error) {
          expect(isAppError(error, 'invalid_request')).toBe(true);
          return;
        }
        checkKey(key);
        expect(key.startsWith(`outputs/${userFolder(userId)}/`)).toBe(true);
        expect(key).toMatch(/-[0-9a-f]{16}\.png$/);
        expect(key).toBe(key.normalize('NFC'));
        for (const segment of key.split('/')) expect(bytesOf(segment)).toBeLessThanOrEqual(255);
      },
    ),
    { numRuns: 2000 },
  );
});

test('cases 1 to 12: every key of a scene passes the check and stays below its project', () => {
  fc.assert(
    fc.property(fc.uuid(), hostileText, (projectId, sceneId) => {
      const key = sceneKey(projectId, sceneId, 'webp');
      checkKey(key);
      expect(key.startsWith(`projects/${projectId}/scenes/`)).toBe(true);
      expect(key.split('/')).toHaveLength(4);
    }),
    { numRuns: 1000 },
  );
});

test('case 9: a word is cut at whole characters and to its limit', () => {
  fc.assert(
    fc.property(anyText(600), fc.integer({ min: 4, max: 200 }), (text, maxBytes) => {
      const cut = cutBytes(text, maxBytes);
      expect(text.startsWith(cut)).toBe(true);
      expect(bytesOf(cut)).toBeLessThanOrEqual(maxBytes);
      if (text.isWellFormed()) expect(cut.isWellFormed()).toBe(true);
      // A Windows device name gets one byte longer.
      expect(bytesOf(safeSegment(text, maxBytes))).toBeLessThanOrEqual(maxBytes + 1);
    }),
    { numRuns: 2000 },
  );
});

test('cases 1 to 10: a key that passes the check cannot leave its store', () => {
  const segment = fc.oneof(anyText(8), fc.constantFrom('..', '.', '', 'a', '...', '.git', 'C:'));
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 6 }), (segments) => {
      const key = segments.join('/');
      try {
        checkKey(key);
      } catch (error) {
        expect(isAppError(error, 'invalid_key')).toBe(true);
        return;
      }
      const resolved = new URL(`store:///root/${key.split('/').map(encodeURIComponent).join('/')}`);
      expect(decodeURIComponent(resolved.pathname)).toBe(`/root/${key}`);
      expect(key).not.toMatch(/\0|\\|(^|\/)\./);
      expect(bytesOf(key)).toBeLessThanOrEqual(1000);
    }),
    { numRuns: 3000 },
  );
});
