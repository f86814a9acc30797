import { describe, expect, test } from 'vitest';
import { said } from '../judge.ts';
import * as made from './made-dialects.ts';

describe('a command line of InvokeAI', () => {
  test.each(made.DREAMS)('%s', (line, expected) => {
    expect(said({ Dream: line })).toEqual({ source: 'invokeai', ...expected });
  });

  test('is not any text about a dream', () => {
    expect(said({ dream: 'I had a dream - a long one' })).toBeNull();
  });
});

describe('a description of Midjourney', () => {
  const id = '0f8fad5b-d9cb-469f-a165-70867728950e';
  test.each([
    [`a fox Job ID: ${id}`, { prompt: 'a fox', model: 'Midjourney', parameters: { jobId: id } }],
    [`a fox --niji 6 --no fur Job ID: ${id}`, { prompt: 'a fox', negativePrompt: 'fur', model: 'Niji', version: '6' }],
    [
      `a well-known -- fox --version 5.2 --tile Job ID: ${id}`,
      { prompt: 'a well-known -- fox', version: '5.2', parameters: { tile: 'true', jobId: id } },
    ],
    [`--v 7 Job ID: ${id}`, { version: '7' }],
  ])('%s', (Description, expected) => {
    expect(said({ Description })).toMatchObject({ source: 'midjourney', ...expected });
  });

  test('needs the id of its job', () => {
    expect(said({ Description: 'a fox --v 6 --ar 3:2' })).toBeNull();
  });
});
