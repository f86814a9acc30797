import { base64Of, describeAnswers } from './real-answers.ts';

const png = base64Of('png');
const png2 = base64Of('png', 2);

describeAnswers('stability', [
  {
    name: 'one picture of two was filtered',
    answer: {
      artifacts: [
        { base64: png, seed: 1, finishReason: 'SUCCESS' },
        { base64: png2, seed: 2, finishReason: 'CONTENT_FILTERED' },
      ],
    },
    outputs: [png],
    error: 'CONTENT_FILTERED',
    each: { [png]: { generation: { seed: 1 } } },
  },
  {
    name: 'a song',
    answer: { audio: base64Of('mp3'), finish_reason: 'SUCCESS', seed: 5 },
    outputs: [base64Of('mp3')],
    facts: { generation: { seed: 5 } },
  },
  { name: 'an upscaled picture', answer: { result: png, finish_reason: 'SUCCESS', seed: 5 }, outputs: [png] },
  {
    name: 'a wrong field',
    answer: { id: 'i', name: 'bad_request', errors: ['prompt: cannot be blank'] },
    state: 'failed',
    error: 'cannot be blank',
  },
  {
    name: 'version 1 refuses a prompt',
    answer: { id: 'i', name: 'invalid_prompts', message: 'One or more of the prompts contains filtered words.' },
    state: 'failed',
    error: 'filtered words',
  },
  {
    name: 'SD3 on Bedrock',
    answer: { seeds: [11, 12], finish_reasons: [null, null], images: [png, png2] },
    outputs: [png, png2],
    each: { [png2]: { generation: { seed: 12 } } },
  },
  {
    name: 'SD3 on Bedrock with one filtered',
    answer: { seeds: [11, 12], finish_reasons: [null, 'Filter reason: output image'], images: [png, png2] },
    outputs: [png],
    error: 'Filter reason: output image',
  },
  {
    name: 'SD3 on Bedrock with a filtered prompt',
    answer: { seeds: [], finish_reasons: ['Filter reason: prompt'], images: [] },
    state: 'failed',
    error: 'Filter reason: prompt',
  },
  {
    name: 'SDXL on Bedrock',
    answer: { result: 'success', artifacts: [{ seed: 4, base64: png, finishReason: 'SUCCESS' }] },
    outputs: [png],
  },
  {
    name: 'Titan with some blocked',
    answer: { images: [png], error: 'Some of the generated images have been blocked by our content filters.' },
    outputs: [png],
    error: 'blocked by our content filters',
  },
  {
    name: 'an exception of Bedrock',
    answer: { message: 'This request has been blocked by our content filters.', __type: 'ValidationException' },
    state: 'failed',
    error: 'blocked by our content filters',
  },
  {
    name: 'Nova Reel in work',
    answer: {
      invocationArn: 'arn:aws:bedrock:x',
      modelArn: 'arn:aws:bedrock:m',
      status: 'InProgress',
      submitTime: 't',
      outputDataConfig: { s3OutputDataConfig: { s3Uri: 's3://box/dir' } },
    },
    state: 'running',
  },
  {
    name: 'Nova Reel that failed',
    answer: {
      invocationArn: 'arn:aws:bedrock:x',
      status: 'Failed',
      failureMessage: 'The prompt was blocked.',
      outputDataConfig: { s3OutputDataConfig: { s3Uri: 's3://box/dir' } },
    },
    state: 'failed',
    error: 'prompt was blocked',
  },
]);

describeAnswers('automatic1111', [
  { name: 'one extra', answer: { html_info: '<p>Postprocess upscale by: 2</p>', image: png }, outputs: [png] },
  { name: 'several extras', answer: { html_info: '<p></p>', images: [png, png2] }, outputs: [png, png2] },
  {
    name: 'images that are made from others',
    answer: {
      images: [`data:image/png;base64,${png}`],
      parameters: { prompt: 'a fox', init_images: [png2], mask: null, seed: -1 },
      info: '{"prompt": "a fox", "seed": 7, "all_seeds": [7], "infotexts": []}',
    },
    outputs: [`data:image/png;base64,${png}`],
    facts: { prompt: 'a fox' },
    each: { [`data:image/png;base64,${png}`]: { generation: { seed: 7 } } },
  },
  {
    name: 'progress with the picture so far',
    answer: {
      progress: 0.4,
      eta_relative: 3,
      state: { skipped: false, interrupted: false, job: 'scripts_txt2img', job_count: 1 },
      current_image: png,
      textinfo: null,
    },
    state: 'running',
    facts: { progress: 40 },
  },
  {
    name: 'nothing to do',
    answer: {
      progress: 0,
      eta_relative: 0,
      state: { skipped: false, interrupted: false, job: '', job_count: 0 },
      current_image: null,
      textinfo: null,
    },
    state: 'running',
  },
  {
    name: 'an unknown sampler',
    answer: { error: 'HTTPException', detail: 'Sampler not found', body: '', errors: '' },
    state: 'failed',
    error: 'Sampler not found',
  },
  {
    name: 'a wrong field',
    answer: { detail: [{ loc: ['body', 'steps'], msg: 'value is not a valid integer', type: 'type_error.integer' }] },
    state: 'failed',
    error: 'not a valid integer',
  },
]);
