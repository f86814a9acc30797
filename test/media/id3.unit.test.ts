import { describe, expect, test } from 'vitest';
import { bytes, zeros } from './bytes.ts';
import { generationIn } from './judge.ts';
import { mp3 } from './made-audio.ts';
import * as tags from './made-tags.ts';

describe('an ID3 tag', () => {
  const infotext = 'ÿ fox 狐\nSteps: 5, Seed: 7';
  const wanted = { prompt: 'ÿ fox 狐', steps: 5, seed: 7 };
  const read = (tag: Uint8Array) => generationIn(bytes(tag, mp3(20)), 'mp3', 500);
  const VERSIONS = [2, 3, 4] as const;
  const CODINGS = ['utf16', 'utf16-big', 'utf16be', 'utf8'] as const;
  const frames = (version: 2 | 3 | 4, coding: (typeof CODINGS)[number], format = 0) => {
    const short = version === 2;
    return [
      tags.id3Frame(version, short ? 'TXX' : 'TXXX', tags.userText('parameters', infotext, coding), format),
      tags.id3Frame(version, short ? 'COM' : 'COMM', tags.commentText('', infotext, coding), format),
    ];
  };
  const cases = VERSIONS.flatMap((version) =>
    CODINGS.flatMap((coding) => [0, 1].map((frame) => ({ version, coding, frame }))),
  );

  test.each(cases)('of version 2.$version is read in $coding, frame $frame', ({ version, coding, frame }) => {
    const body = frames(version, coding)[frame]!;
    expect(read(tags.id3Tag(version, 0, body))).toMatchObject(wanted);
    if (version < 4) {
      expect(read(tags.id3Tag(version, 0x80, tags.unsynchronised(body)))).toMatchObject(wanted);
      return;
    }
    const name = frame === 0 ? 'TXXX' : 'COMM';
    const plain = frame === 0 ? tags.userText('parameters', infotext, coding) : tags.commentText('', infotext, coding);
    const zeroed = tags.unsynchronised(plain);
    const whole = tags.id3Frame(4, name, zeroed, 2);
    const long = tags.id3Frame(4, name, bytes([0, 0, 0, zeroed.length], zeroed), 3);
    // Some say it of the whole tag alone.
    for (const [flags, each] of [
      [0x80, whole],
      [0, whole],
      [0x80, long],
      [0x80, tags.id3Frame(4, name, zeroed)],
    ] as const)
      expect(read(tags.id3Tag(4, flags, each))).toMatchObject(wanted);
  });

  test('with an extended header is read', () => {
    const [text = zeros(0)] = frames(3, 'utf16');
    expect(read(tags.id3Tag(3, 0x40, bytes([0, 0, 0, 6], zeros(6), text)))).toMatchObject(wanted);
    expect(read(tags.id3Tag(4, 0x40, bytes([0, 0, 0, 6], [1, 0], ...frames(4, 'utf8'))))).toMatchObject(wanted);
    expect(read(tags.id3Tag(3, 0xc0, tags.unsynchronised(bytes([0, 0, 0, 6], zeros(6), text))))).toMatchObject(wanted);
  });

  test('with a group in its frame is read', () => {
    const text = tags.userText('parameters', infotext);
    expect(read(tags.id3Tag(3, 0, tags.id3Frame(3, 'TXXX', bytes(9, text), 0x20)))).toMatchObject(wanted);
    expect(read(tags.id3Tag(4, 0, tags.id3Frame(4, 'TXXX', bytes(9, text), 0x40)))).toMatchObject(wanted);
  });

  test('with the byte order only before the first of two texts is read', () => {
    const text = bytes(
      1,
      [0xfe, 0xff],
      Buffer.from('comment', 'utf16le').swap16(),
      0,
      0,
      Buffer.from(infotext, 'utf16le').swap16(),
    );
    expect(read(tags.id3Tag(3, 0, tags.id3Frame(3, 'TXXX', text)))).toMatchObject(wanted);
  });

  test('is left unread where it is compressed, encrypted or of a version to come', () => {
    const text = tags.userText('parameters', infotext);
    const frame = (version: 3 | 4, format: number) =>
      tags.id3Tag(version, 0, tags.id3Frame(version, 'TXXX', text, format));
    for (const tag of [frame(3, 0x80), frame(3, 0x40), frame(4, 8), frame(4, 4)]) expect(read(tag)).toBeNull();
    expect(read(tags.id3Tag(2, 0x40, frames(2, 'utf8')[0]!))).toBeNull();
    expect(read(tags.id3Tag(5, 0, frames(4, 'utf8')[0]!))).toBeNull();
  });
});
