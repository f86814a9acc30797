import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EmbeddedTexts } from '../../src/media/embedded-texts.ts';
import { addExifTexts } from '../../src/media/exif.ts';
import { exif, unicodeComment } from './made-texts.ts';

const commentOf = (text: string, order: 'le' | 'be') => {
  const texts = new EmbeddedTexts();
  addExifTexts(texts, exif({ UserComment: unicodeComment(text, order) }));
  return texts.texts.get('UserComment');
};

const WORDS = [
  'a quiet harbour, masterpiece',
  'café, Łódź, Øresund',
  '一只猫坐在窗边看着外面的雨',
  '一只一样的猫坐在一边',
  '猫　と　犬、森の中',
  '고양이와 강아지',
  'แมวสีส้ม',
  'кошка на окне',
  'قطة على النافذة',
  'बिल्ली खिड़की पर',
  '🦊 in the snow ❄️',
];
const SETTINGS =
  '\nNegative prompt: 模糊\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 31, Size: 512x768, Model: m1';

test('a comment in UTF-16 is read in the order of its bytes, whatever the order of the EXIF block', () => {
  const text = fc.array(fc.constantFrom(...WORDS), { minLength: 1, maxLength: 8 }).map((words) => words.join(' '));
  fc.assert(
    fc.property(text, fc.constantFrom('', SETTINGS), fc.constantFrom('le', 'be'), (prompt, settings, order) => {
      expect(commentOf(prompt + settings, order)).toBe(prompt + settings);
    }),
  );
});
