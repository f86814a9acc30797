import { describeAnswers, url } from './real-answers.ts';

describeAnswers('bfl', [
  {
    name: 'a reason in place of the result',
    answer: { id: 'b', status: 'Error', result: 'no GPU left' },
    state: 'failed',
    error: 'no GPU left',
  },
  {
    name: 'a picture',
    answer: {
      id: 'b',
      status: 'Ready',
      result: { sample: url('a.jpeg?se=1&sig=x'), prompt: 'a fox', seed: 3, start_time: 1, end_time: 2, duration: 1 },
      progress: null,
      details: null,
      preview: null,
    },
    outputs: [url('a.jpeg?se=1&sig=x')],
    facts: { prompt: 'a fox', generation: { seed: 3 } },
  },
  {
    name: 'a webhook',
    answer: { task_id: 'b', status: 'SUCCESS', result: { sample: url('a'), prompt: 'a fox', seed: 3 } },
    outputs: [url('a')],
    facts: { id: 'b' },
  },
  {
    name: 'a task that began',
    answer: { id: 'b', polling_url: 'https://api.bfl.ai/v1/get_result?id=b', cost: 4, input_mp: 0, output_mp: 1 },
    state: 'running',
  },
  {
    name: 'a task with a preview',
    answer: { id: 'b', status: 'Pending', result: null, progress: 0.5, preview: { image: url('p.png') } },
    state: 'running',
    ignored: [url('p.png')],
  },
  {
    name: 'a moderated output',
    answer: {
      id: 'b',
      status: 'Content Moderated',
      result: null,
      details: { 'Moderation Reasons': ['Derivative Works Filter'] },
    },
    state: 'failed',
    error: 'Derivative Works Filter',
  },
  {
    name: 'a moderated request without a reason',
    answer: { id: 'b', status: 'Request Moderated', result: null, progress: null, details: null, preview: null },
    state: 'failed',
    error: 'Request Moderated',
  },
  {
    name: 'an unknown task',
    answer: { id: 'b', status: 'Task not found', result: null },
    state: 'failed',
    error: 'Task not found',
  },
  {
    name: 'no credits',
    answer: { detail: 'Insufficient credits. Go to https://api.bfl.ai to add more.' },
    state: 'failed',
    error: 'Insufficient credits',
  },
  {
    name: 'a wrong field',
    answer: {
      detail: [{ type: 'missing', loc: ['body', 'prompt'], msg: 'Field required', input: { image: url('in.png') } }],
    },
    state: 'failed',
    error: 'Field required',
  },
]);

describeAnswers('luma', [
  {
    name: 'a video',
    answer: {
      id: 'l',
      generation_type: 'video',
      state: 'completed',
      failure_reason: null,
      created_at: 't',
      assets: { video: url('v.mp4'), image: url('t.jpg'), progress_video: url('p.mp4') },
      model: 'ray-2',
      request: {
        generation_type: 'video',
        prompt: 'a fox',
        keyframes: { frame0: { type: 'image', url: url('in.png') } },
        callback_url: 'https://me.example.com/hook',
      },
    },
    outputs: [url('v.mp4'), url('t.jpg')],
    ignored: [url('p.mp4'), url('in.png')],
    facts: { prompt: 'a fox', model: 'ray-2' },
  },
  {
    name: 'work that goes on',
    answer: { id: 'l', state: 'dreaming', failure_reason: null, assets: null, request: { prompt: 'a fox' } },
    state: 'running',
  },
  {
    name: 'a refusal',
    answer: {
      id: 'l',
      state: 'failed',
      failure_reason: '400: prompt not allowed because advanced moderation failed',
      assets: null,
      request: {},
    },
    state: 'failed',
    error: 'moderation failed',
  },
  { name: 'a wrong key', answer: { detail: 'Invalid API key' }, state: 'failed', error: 'Invalid API key' },
]);

describeAnswers('runway', [
  {
    name: 'a video',
    answer: {
      id: 'w',
      status: 'SUCCEEDED',
      createdAt: 't',
      output: ['https://dnznrvs05pmza.cloudfront.net/v.mp4?_jwt=x'],
    },
    outputs: ['https://dnznrvs05pmza.cloudfront.net/v.mp4?_jwt=x'],
  },
  {
    name: 'work that goes on',
    answer: { id: 'w', status: 'RUNNING', createdAt: 't', progress: 0.3 },
    state: 'running',
    facts: { progress: 30 },
  },
  {
    name: 'a failure',
    answer: {
      id: 'w',
      status: 'FAILED',
      createdAt: 't',
      failure: 'An unexpected error occurred.',
      failureCode: 'INTERNAL.BAD_OUTPUT.CODE01',
    },
    state: 'failed',
    error: 'unexpected error',
    facts: { error: { class: 'INTERNAL.BAD_OUTPUT.CODE01' } },
  },
  { name: 'a canceled task', answer: { id: 'w', status: 'CANCELLED', createdAt: 't' }, state: 'failed' },
  {
    name: 'no credits',
    answer: {
      error: 'You do not have enough credits to run this task.',
      docUrl: 'https://docs.dev.runwayml.com/help.png',
    },
    state: 'failed',
    error: 'enough credits',
  },
]);

const task = (data: object, more: object = {}) => ({
  code: 0,
  message: 'SUCCEED',
  request_id: 'r',
  data: { task_id: 'k', created_at: 1, updated_at: 2, ...data },
  ...more,
});

describeAnswers('kling', [
  {
    name: 'a video with a copy that bears a watermark',
    answer: task({
      task_status: 'succeed',
      task_status_msg: '',
      final_unit_deduction: '1',
      task_info: { external_task_id: 'e' },
      task_result: { videos: [{ id: 'v', url: url('v.mp4'), watermark_url: url('w.mp4'), duration: '5' }] },
    }),
    outputs: [url('v.mp4')],
    ignored: [url('w.mp4')],
    facts: { id: 'k', generation: { cost: '1' } },
  },
  {
    name: 'pictures',
    answer: task({
      task_status: 'succeed',
      task_result: {
        images: [
          { index: 0, url: url('a.png') },
          { index: 1, url: url('b.png') },
        ],
      },
    }),
    outputs: [url('a.png'), url('b.png')],
  },
  {
    name: 'a video made of another',
    answer: task({
      task_status: 'succeed',
      task_info: { parent_video: { id: 'v', url: url('in.mp4'), duration: '5' } },
      task_result: { videos: [{ id: 'w', url: url('v.mp4'), duration: '10' }] },
    }),
    outputs: [url('v.mp4')],
    ignored: [url('in.mp4')],
  },
  {
    name: 'a callback',
    answer: {
      task_id: 'k',
      task_status: 'succeed',
      task_status_msg: '',
      task_info: {},
      task_result: { videos: [{ id: 'v', url: url('v.mp4'), duration: '5.1' }] },
    },
    outputs: [url('v.mp4')],
    facts: { id: 'k' },
  },
  {
    name: 'no balance',
    answer: { code: 1102, message: 'Account balance not enough', request_id: 'r' },
    state: 'failed',
    error: 'balance not enough',
  },
  { name: 'a task in work', answer: task({ task_status: 'processing', task_status_msg: '' }), state: 'running' },
]);
