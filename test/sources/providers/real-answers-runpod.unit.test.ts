import { base64Of, describeAnswers, url } from './real-answers.ts';

const png = base64Of('png');

const job = (output: unknown, more: object = {}) => ({
  delayTime: 1,
  executionTime: 2,
  id: 'j-u1',
  status: 'COMPLETED',
  output,
  ...more,
});

describeAnswers('runpod', [
  { name: 'an error in place of the output', answer: job('Error: no GPU'), state: 'failed', error: 'no GPU' },
  { name: 'a failure in pieces', answer: job([{ output: { error: 'inner' } }]), state: 'failed', error: 'inner' },
  {
    name: 'an error as HTTP has it',
    answer: job({ statusCode: 500, body: 'no workflow' }),
    state: 'failed',
    error: 'no workflow',
  },
  {
    name: 'a code with a message',
    answer: job({ code: 500, message: 'Out of memory' }),
    state: 'failed',
    error: 'Out of memory',
  },
  {
    name: 'a traceback',
    answer: job({ traceback: 'Traceback (most recent call last): ValueError: x' }),
    state: 'failed',
    error: 'ValueError',
  },
  {
    name: 'a word for a failure',
    answer: job({ result: 'failed', reason: 'bad prompt' }),
    state: 'failed',
    error: 'bad prompt',
  },
  {
    name: 'SDXL, which tells its first picture twice',
    answer: job({ image_url: `data:image/png;base64,${png}`, images: [`data:image/png;base64,${png}`], seed: 5 }),
    outputs: [`data:image/png;base64,${png}`],
    facts: { generation: { seed: 5 } },
  },
  {
    name: 'a public endpoint with its cost',
    answer: job({ cost: 0.02, image_url: url('a.jpg') }),
    outputs: [url('a.jpg')],
    facts: { generation: { cost: 0.02 } },
  },
  { name: 'a public endpoint for videos', answer: job({ cost: 0.9, result: url('v.mp4') }), outputs: [url('v.mp4')] },
  { name: 'bare bytes', answer: job(png), outputs: [png] },
  {
    name: 'a list of objects',
    answer: job([
      { image: png, seed: 1 },
      { image: base64Of('png', 2), seed: 2 },
    ]),
    outputs: [png, base64Of('png', 2)],
    each: { [png]: { generation: { seed: 1 } } },
  },
  {
    name: 'every kind beside one another',
    answer: job({
      images: [{ filename: 'a.png', type: 's3_url', data: url('a.png') }],
      videos: [{ filename: 'v.mp4', type: 'base64', data: base64Of('mp4') }],
      gifs: [{ filename: 'g.gif', data: url('g.gif') }],
      audio: { url: url('s.mp3') },
      model: url('m.glb'),
    }),
    outputs: [url('a.png'), base64Of('mp4'), url('g.gif'), url('s.mp3'), url('m.glb')],
  },
  {
    name: 'AUTOMATIC1111 as a worker',
    answer: job({
      images: [png],
      parameters: { prompt: 'a fox', init_images: [base64Of('png', 9)] },
      info: '{"seed": 4}',
    }),
    outputs: [png],
  },
  {
    name: 'a text of a language model',
    answer: job([{ choices: [{ tokens: ['Hello'] }], usage: { input: 1, output: 2 } }]),
  },
  {
    name: 'an error in a list',
    answer: job([{ error: 'CUDA out of memory' }]),
    state: 'failed',
    error: 'CUDA out of memory',
  },
  {
    name: 'an error in a list with a state',
    answer: job([{ status: 'error', message: 'no such checkpoint' }]),
    state: 'failed',
    error: 'no such checkpoint',
  },
  {
    name: 'an error deep inside',
    answer: job({ result: { status: 'error', error: 'bad workflow', details: 'node 3' } }),
    state: 'failed',
    error: 'bad workflow',
  },
  {
    name: 'an error of the SDK',
    answer: {
      id: 'j',
      status: 'FAILED',
      error: '{"error_type": "<class \'ValueError\'>", "error_message": "no prompt", "error_traceback": "…"}',
    },
    state: 'failed',
    error: 'no prompt',
  },
  {
    name: 'a job that is not there',
    answer: { title: 'Not Found', status: 404, detail: 'job not found' },
    state: 'failed',
    error: 'job not found',
  },
  { name: 'a job in the queue', answer: { delayTime: 9, id: 'j', status: 'IN_QUEUE' }, state: 'running' },
  {
    name: 'progress with a preview',
    answer: { id: 'j', status: 'IN_PROGRESS', output: { progress: 40, preview: url('p.png') } },
    state: 'running',
    ignored: [url('p.png')],
  },
  { name: 'a canceled job', answer: { id: 'j', status: 'CANCELLED' }, state: 'failed', error: 'canceled' },
]);
