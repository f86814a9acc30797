import { base64Of, describeAnswers, url } from './real-answers.ts';

const png = base64Of('png');

const generation = (more: object) => ({
  generations_by_pk: {
    modelId: 'm',
    motion: null,
    prompt: 'a fox',
    negativePrompt: '',
    imageHeight: 512,
    imageToVideo: null,
    imageWidth: 768,
    inferenceSteps: 15,
    seed: 9,
    public: false,
    status: 'COMPLETE',
    presetStyle: 'DYNAMIC',
    initStrength: null,
    guidanceScale: 7,
    id: 'g',
    createdAt: 't',
    ...more,
  },
});

describeAnswers('leonardo', [
  {
    name: 'pictures, a motion and a variation',
    answer: generation({
      generated_images: [
        {
          url: url('a.jpg'),
          nsfw: false,
          id: 'i',
          likeCount: 0,
          motionMP4URL: url('a.mp4'),
          generated_image_variation_generics: [
            { url: url('up.jpg'), status: 'COMPLETE', id: 'x', transformType: 'UPSCALE' },
          ],
        },
      ],
    }),
    outputs: [url('a.jpg'), url('a.mp4'), url('up.jpg')],
    facts: { id: 'g', model: 'm', prompt: 'a fox', generation: { seed: 9, steps: 15, cfgScale: 7 } },
  },
  { name: 'work that goes on', answer: generation({ status: 'PENDING', generated_images: [] }), state: 'running' },
  { name: 'a failure', answer: generation({ status: 'FAILED', generated_images: [] }), state: 'failed' },
  { name: 'a job that began', answer: { sdGenerationJob: { generationId: 'g', apiCreditCost: 11 } }, state: 'running' },
  {
    name: 'a refused prompt',
    answer: { error: 'content moderation filter: nsfw', path: '$', code: 'unexpected' },
    state: 'failed',
    error: 'content moderation',
  },
]);

describeAnswers('ideogram', [
  {
    name: 'pictures, of which one was not safe',
    answer: {
      created: 't',
      data: [
        {
          is_image_safe: true,
          prompt: 'a red fox',
          resolution: '1280x800',
          seed: 12,
          style_type: 'REALISTIC',
          url: url('a.png?exp=1'),
        },
        { is_image_safe: false, prompt: 'a red fox', resolution: '1280x800', seed: 13, url: null },
      ],
    },
    outputs: [url('a.png?exp=1')],
    error: 'is_image_safe',
    facts: { size: '1280x800' },
    each: { [url('a.png?exp=1')]: { generation: { seed: 12, revisedPrompt: 'a red fox' } } },
  },
  {
    name: 'a refused prompt',
    answer: { error: 'Prompt provided failed safety check due to the inclusion of prohibited content.' },
    state: 'failed',
    error: 'safety check',
  },
]);

describeAnswers('together', [
  {
    name: 'pictures',
    answer: {
      id: 't',
      model: 'black-forest-labs/FLUX.1-schnell',
      object: 'list',
      data: [
        { index: 0, url: 'https://api.together.ai/imgproxy/abc', timings: { inference: 0.4 } },
        { index: 1, b64_json: png },
      ],
    },
    outputs: ['https://api.together.ai/imgproxy/abc', png],
    facts: { model: 'black-forest-labs/FLUX.1-schnell' },
  },
  {
    name: 'a video',
    answer: {
      id: 't',
      object: 'video',
      status: 'completed',
      model: 'minimax/video',
      outputs: { cost: 0.28, video_url: url('v') },
      seconds: '5',
      size: '1366x768',
    },
    outputs: [url('v')],
    facts: { generation: { cost: 0.28 }, size: '1366x768' },
  },
  {
    name: 'a refused model',
    answer: {
      id: 't',
      error: {
        message: 'Unable to access model',
        type: 'invalid_request_error',
        param: null,
        code: 'model_not_available',
      },
    },
    state: 'failed',
    error: 'Unable to access',
  },
]);

describeAnswers('fireworks', [
  {
    name: 'a fault of the gateway',
    answer: { fault: { faultstring: 'Quota exceeded', detail: { errorcode: 'x' } } },
    state: 'failed',
    error: 'Quota exceeded',
  },
  {
    name: 'pictures in base64',
    answer: { base64: [png], finishReason: 'SUCCESS', seed: 6 },
    outputs: [png],
    facts: { generation: { seed: 6 } },
  },
  {
    name: 'a list of pictures',
    answer: [{ base64: png, finishReason: 'SUCCESS', seed: 6 }],
    outputs: [png],
    each: { [png]: { generation: { seed: 6 } } },
  },
  {
    name: 'a filtered picture',
    answer: { base64: [png], finishReason: 'CONTENT_FILTERED', seed: 6 },
    state: 'failed',
    error: 'CONTENT_FILTERED',
  },
  {
    name: 'a result',
    answer: {
      id: 'f',
      status: 'Ready',
      result: { sample: url('a'), prompt: 'a fox', seed: 2 },
      progress: 1,
      details: null,
    },
    outputs: [url('a')],
    facts: { prompt: 'a fox', generation: { seed: 2 } },
  },
  {
    name: 'a moderated request',
    answer: {
      id: 'f',
      status: 'Request Moderated',
      result: null,
      progress: null,
      details: { 'Moderation Reasons': ['x y'] },
    },
    state: 'failed',
    error: 'x y',
  },
  {
    name: 'a wrong key',
    answer: { error: { message: 'Unauthorized', code: 'UNAUTHORIZED' } },
    state: 'failed',
    error: 'Unauthorized',
  },
]);

describeAnswers('xai', [
  {
    name: 'pictures',
    answer: {
      data: [
        { url: url('a.jpg'), revised_prompt: 'a red fox', mime_type: 'image/jpeg', respect_moderation: true },
        { b64_json: `data:image/jpeg;base64,${png}` },
      ],
      usage: { cost_in_usd_ticks: 200000000 },
    },
    outputs: [url('a.jpg'), `data:image/jpeg;base64,${png}`],
    each: { [url('a.jpg')]: { generation: { revisedPrompt: 'a red fox' } } },
  },
  {
    name: 'a video',
    answer: {
      status: 'done',
      video: { url: url('v.mp4'), duration: 6, respect_moderation: true },
      model: 'grok-imagine-video',
    },
    outputs: [url('v.mp4')],
    facts: { model: 'grok-imagine-video' },
  },
  {
    name: 'a video that was moderated',
    answer: {
      status: 'done',
      video: { url: url('v.mp4'), duration: 6, respect_moderation: false },
      model: 'grok-imagine-video',
    },
    state: 'failed',
    ignored: [url('v.mp4')],
    error: 'respect_moderation',
  },
  { name: 'a video in work', answer: { status: 'pending', progress: 20 }, state: 'running' },
  { name: 'a video that expired', answer: { status: 'expired' }, state: 'failed' },
  {
    name: 'a refusal',
    answer: { code: 'Client specified an invalid argument', error: 'Generated image rejected by content moderation.' },
    state: 'failed',
    error: 'content moderation',
  },
]);

describeAnswers('recraft', [
  {
    name: 'a raster and a vector',
    answer: {
      created: 1,
      credits: 40,
      data: [
        { image_id: 'i', url: 'https://img.recraft.ai/a' },
        { image_id: 'j', url: url('b.svg') },
      ],
    },
    outputs: ['https://img.recraft.ai/a', url('b.svg')],
    facts: { generation: { cost: 40 } },
  },
  {
    name: 'a changed picture',
    answer: { created: 1, credits: 10, image: { image_id: 'i', url: 'https://img.recraft.ai/a' } },
    outputs: ['https://img.recraft.ai/a'],
  },
  {
    name: 'a refusal',
    answer: { code: 'invalid_request_parameter', message: 'prompt is too long' },
    state: 'failed',
    error: 'too long',
  },
]);

const ok = { base_resp: { status_code: 0, status_msg: 'success' } };
const hex = Buffer.from(`fffb${'90'.repeat(300)}`, 'hex');

describeAnswers('minimax', [
  {
    name: 'a piece of speech',
    answer: { data: { audio: hex.toString('hex'), status: 1 }, trace_id: 't', ...ok },
    state: 'running',
  },
  {
    name: 'one picture of two was refused',
    answer: {
      id: 'm',
      data: { image_urls: [url('a.jpeg')] },
      metadata: { failed_count: '1', success_count: '1' },
      ...ok,
    },
    outputs: [url('a.jpeg')],
    error: 'refused 1',
  },
  {
    name: 'pictures',
    answer: {
      id: 'm',
      data: { image_urls: [url('a.jpeg'), url('b.jpeg')] },
      metadata: { failed_count: '0', success_count: '2' },
      ...ok,
    },
    outputs: [url('a.jpeg'), url('b.jpeg')],
  },
  { name: 'a picture in base64', answer: { id: 'm', data: { image_base64: [png] }, ...ok }, outputs: [png] },
  {
    name: 'speech in hexadecimal digits',
    answer: {
      data: { audio: hex.toString('hex'), status: 2, ced: '' },
      extra_info: { audio_length: 5746, audio_format: 'mp3', audio_size: 100 },
      trace_id: 't',
      ...ok,
    },
    outputs: [hex.toString('base64')],
    facts: { generation: { durationMs: 5746 } },
  },
  {
    name: 'speech with subtitles',
    answer: { data: { audio: url('a.mp3'), subtitle_file: url('a.titles'), status: 2 }, trace_id: 't', ...ok },
    outputs: [url('a.mp3')],
    ignored: [url('a.titles')],
  },
  {
    name: 'the file of a video',
    answer: {
      file: {
        file_id: 1,
        bytes: 0,
        created_at: 1,
        filename: 'output.mp4',
        purpose: 'video_generation',
        download_url: url('d'),
        backup_download_url: url('bd'),
      },
      ...ok,
    },
    outputs: [url('d')],
    each: { [url('d')]: { filename: 'output.mp4', from: [{ url: url('d') }, { url: url('bd') }] } },
  },
  { name: 'a video in work', answer: { task_id: 'm', status: 'Processing', file_id: '', ...ok }, state: 'running' },
  {
    name: 'a video that failed',
    answer: {
      task_id: 'm',
      status: 'Fail',
      file_id: '',
      base_resp: { status_code: 1027, status_msg: 'output new_sensitive' },
    },
    state: 'failed',
    error: 'new_sensitive',
  },
  { name: 'a task that began', answer: { task_id: 'm', ...ok }, state: 'running' },
  {
    name: 'no balance',
    answer: { base_resp: { status_code: 1008, status_msg: 'insufficient balance' } },
    state: 'failed',
    error: 'insufficient balance',
  },
]);
