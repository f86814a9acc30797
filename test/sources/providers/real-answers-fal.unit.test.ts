import { base64Of, describeAnswers, url } from './real-answers.ts';

const png = base64Of('png');

const file = (name: string, contentType: string | null = 'image/png') => ({
  url: url(name),
  content_type: contentType,
  file_name: name,
  file_size: 123,
  file_data: null,
});

describeAnswers('fal', [
  {
    name: 'a webhook with images, seed and timings',
    answer: {
      request_id: 'r1',
      gateway_request_id: 'g1',
      status: 'OK',
      error: null,
      payload: {
        images: [file('a.png'), file('b.png')],
        timings: { inference: 1.2 },
        seed: 42,
        has_nsfw_concepts: [false, false],
        prompt: 'a fox',
      },
    },
    outputs: [url('a.png'), url('b.png')],
    facts: { id: 'r1', prompt: 'a fox', generation: { seed: 42 } },
  },
  {
    name: 'a video with its thumbnail and sprites',
    answer: {
      video: { ...file('v.mp4', 'video/mp4'), duration: 4, fps: 24, num_frames: 96 },
      video_id: 'video_1',
      thumbnail: file('t.webp', 'image/webp'),
      spritesheet: file('s.jpg', 'image/jpeg'),
    },
    outputs: [url('v.mp4'), url('t.webp'), url('s.jpg')],
    each: { [url('v.mp4')]: { generation: { duration: 4, fps: 24, frames: 96 } } },
  },
  {
    name: 'stems of a song',
    answer: { vocals: { url: url('1') }, instrumental: { url: url('2') }, drums: { url: url('3') } },
    outputs: [url('1'), url('2'), url('3')],
  },
  {
    name: 'a mesh in several formats with its textures',
    answer: {
      model_glb: file('m.glb', 'application/octet-stream'),
      model_urls: { glb: file('m.glb'), obj: file('m.obj', 'text/plain'), mtl: file('m.mtl', 'text/plain') },
      thumbnail: file('t.png'),
      seed: 7,
    },
    outputs: [url('m.glb'), url('m.obj'), url('t.png')],
    ignored: [url('m.mtl')],
  },
  {
    name: 'an edit with a description and no types',
    answer: { images: [{ ...file('a', null), file_name: null }], description: 'Here is your picture.' },
    outputs: [url('a')],
  },
  {
    name: 'a picture sent with the answer',
    answer: { images: [{ url: `data:image/png;base64,${png}`, width: 1 }] },
    outputs: [`data:image/png;base64,${png}`],
  },
  { name: 'a text is no media', answer: { output: 'A fox in the snow.', partial: false, error: null } },
  {
    name: 'a refusal with links to documentation and the input',
    answer: {
      detail: [
        {
          loc: ['body', 'prompt'],
          msg: 'The content could not be processed because it contained material flagged by a content checker.',
          type: 'content_policy_violation',
          url: 'https://docs.fal.ai/errors/#content_policy_violation',
          ctx: { extra_info: { example: 'https://docs.fal.ai/example.png' } },
          input: { prompt: 'x', image_urls: [url('in.png')] },
        },
      ],
    },
    state: 'failed',
    error: 'flagged by a content checker',
  },
  {
    name: 'a refused key',
    answer: { detail: 'Authentication is required to access this application.' },
    state: 'failed',
    error: 'Authentication is required',
  },
  {
    name: 'a payload that could not be sent',
    answer: {
      request_id: 'r',
      gateway_request_id: 'r',
      status: 'OK',
      payload: null,
      payload_error:
        'Response payload is not JSON serializable. Either return a JSON serializable object or use the queue endpoint.',
    },
    state: 'failed',
    error: 'not JSON serializable',
  },
  {
    name: 'a runner that was killed',
    answer: {
      request_id: 'r',
      status: 'ERROR',
      error: 'Request timed out',
      error_type: 'request_timeout',
      payload: { detail: 'Request timed out', error_type: 'request_timeout' },
    },
    state: 'failed',
    error: 'Request timed out',
  },
  {
    name: 'a place in the queue',
    answer: {
      status: 'IN_QUEUE',
      request_id: 'r',
      response_url: 'https://queue.fal.run/x/requests/r',
      status_url: 'https://queue.fal.run/x/requests/r/status',
      cancel_url: 'https://queue.fal.run/x/requests/r/cancel',
      queue_position: 3,
    },
    state: 'running',
  },
  {
    name: 'weights beside a sample',
    answer: {
      diffusers_lora_file: file('w.safetensors', 'application/octet-stream'),
      config_file: file('c.json', 'application/json'),
      sample: file('s.png'),
    },
    outputs: [url('s.png')],
    ignored: [url('w.safetensors'), url('c.json')],
  },
]);
