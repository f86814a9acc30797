import { describe, expect, test } from 'vitest';

import { mediaTypeByExtension } from '../../../src/media/media-type.ts';
import { bytes, zeros } from '../bytes.ts';
import { extensionOf, inspectFile } from '../judge.ts';
import { packet, TABLE, transport, withPts } from '../made-transport.ts';

const ts = mediaTypeByExtension('ts')!;
const video = packet(0x100, new Uint8Array(150).fill(0x55));
const times = <T>(count: number, part: T): T[] => Array.from({ length: count }, () => part);

describe('a transport stream', () => {
  test('may begin between two tables', async () => {
    expect(await extensionOf(bytes(...times(500, video), TABLE))).toBe('ts');
    expect(await extensionOf(bytes(...times(500, video)), 'a.ts')).toMatch(/^unknown/);
  });

  test('is named by the table alone, and by five packets', async () => {
    expect(await extensionOf(bytes(...times(4, TABLE)), 'a.ts')).toMatch(/^unknown/);
    expect(await extensionOf(bytes(...times(5, TABLE)))).toBe('ts');
    expect(await extensionOf(bytes(...times(4, TABLE), zeros(188)), 'a.ts')).toMatch(/^unknown/);
  });

  test.each([
    ['text with a sync byte in each line', `G${'<script>alert(1)</script>'.repeat(8).slice(0, 187)}`],
    ['text with a sync byte and the number of the table', `G@\0\x10\0${'<script>'.repeat(30).slice(0, 183)}`],
    ['packets of zeros', `G${'\0'.repeat(187)}`],
  ])('is not %s', async (_name, line) => {
    expect(await extensionOf(bytes(...times(20, line), 0), 'a.ts')).toMatch(/^unknown/);
  });

  test.each([
    ['is of another number', 5, 2],
    ['has another length than whole entries', 7, 14],
    ['is too short', 7, 5],
    ['is encrypted', 3, 0xf0],
    ['does not begin here', 1, 0],
  ])('is none when its table %s', async (_name, at, value) => {
    const table = packet(0, bytes(TABLE.subarray(-17)));
    expect(await extensionOf(bytes(...times(9, table)))).toBe('ts');
    // The section stands at the end of the packet, behind its pointer.
    table[at < 5 ? at : 188 - 17 + at - 4] = value;
    expect(await extensionOf(bytes(...times(9, table)), 'a.ts')).toMatch(/^unknown/);
  });
});

describe('the duration of a transport stream', () => {
  test('leaves out cuts, and what lies between packets', () => {
    const cut = bytes(...transport(2), ...transport(1, 2 ** 31));
    expect(inspectFile(cut, ts)).toMatchObject({ durationMs: 3000 });
    const gap = bytes(...transport(1), new Uint8Array(300).fill(7), ...transport(3, 90_000).slice(3));
    expect(inspectFile(gap, ts)).toMatchObject({ durationMs: 4000 });
    expect(inspectFile(bytes(...transport(1), ...transport(1)), ts)).toMatchObject({ durationMs: 2000 });
  });

  test('is unknown without two times', () => {
    const nothing = { width: null, height: null, durationMs: null, generation: null };
    expect(inspectFile(bytes(TABLE, packet(0x100, withPts(9)), TABLE), ts)).toEqual(nothing);
    expect(inspectFile(bytes(...times(300, new Uint8Array(188).fill(0x47))), ts)).toEqual(nothing);
    expect(inspectFile(zeros(100_000), ts)).toEqual(nothing);
  });
});
