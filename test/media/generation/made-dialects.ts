/** What further tools write in ways of their own, and what is read of it. */

export const MIDJOURNEY =
  'a fox, made of ice --ar 16:9 --no snow, trees --seed 12345 --stylize 250 --v 6.1 Job ID: 7c9e6679-7425-40de-944b-e07fc1f90ae7';
export const MIDJOURNEY_SAYS = {
  source: 'midjourney',
  prompt: 'a fox, made of ice',
  negativePrompt: 'snow, trees',
  seed: 12345,
  model: 'Midjourney',
  version: '6.1',
  parameters: { ar: '16:9', stylize: '250', jobId: '7c9e6679-7425-40de-944b-e07fc1f90ae7' },
};

const caption = (base: string, ...characters: string[]) => ({
  caption: {
    base_caption: base,
    char_captions: characters.map((char_caption) => ({ char_caption, centers: [{ x: 0.5, y: 0.5 }] })),
  },
});
export const NOVEL = {
  prompt: 'two people',
  uc: 'bad',
  steps: 23,
  scale: 6,
  seed: 99,
  sampler: 'k_euler',
  width: 832,
  height: 1216,
  v4_prompt: caption('two people', 'girl, red hair', '', 'boy, hat'),
  v4_negative_prompt: caption('bad', '', 'beard'),
};
export const NOVEL_SAYS = {
  source: 'novelai',
  prompt: 'two people | girl, red hair | boy, hat',
  negativePrompt: 'bad | beard',
  seed: 99,
  size: '832x1216',
};

export const UNKNOWN = {
  Positive_Prompt: 'a barn',
  NegativePrompt: 'x',
  noise_seed: 8,
  numInferenceSteps: 14,
  guidanceScale: 3.5,
  base_model: 'hub/barn',
};
export const UNKNOWN_SAYS = {
  source: 'unknown',
  prompt: 'a barn',
  negativePrompt: 'x',
  seed: 8,
  steps: 14,
  cfgScale: 3.5,
  model: 'hub/barn',
};

const full = { seed: 31, steps: 50, sampler: 'k_lms', cfgScale: 7.5, width: 512, height: 768, size: '512x768' };
export const DREAMS: [line: string, expected: object][] = [
  ['"a castle" -s 50 -S 31 -W 512 -H 768 -C 7.5 -A k_lms', { prompt: 'a castle', ...full }],
  ['"a castle" -s50 -S31 -W512 -H768 -C7.5 -Ak_lms', { prompt: 'a castle', ...full }],
  ['"a castle"  -s=50  -S=31 -W=512 -H=768 -C=7.5 -A=k_lms', { prompt: 'a castle', ...full }],
  ['a castle -s 50 -S 31 -W 512 -H 768 -C 7.5 -A k_lms', { prompt: 'a castle', ...full }],
  ['"a [foggy] castle [rain, cars]" -s 50', { prompt: 'a castle', negativePrompt: 'foggy, rain, cars', steps: 50 }],
  ['"a "big" castle -s" -s 50', { prompt: 'a "big" castle -s', steps: 50 }],
  ['"a castle" -s 50 -I "init image.png" -f 0.4', { prompt: 'a castle', steps: 50, denoise: 0.4 }],
  ['"a castle" --seamless -S 31', { prompt: 'a castle', seed: 31 }],
  ['"a castle"', { prompt: 'a castle' }],
  ['"a castle -S 31', { prompt: '"a castle', seed: 31 }],
];
