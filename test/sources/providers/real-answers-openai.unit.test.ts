import { base64Of, describeAnswers, url } from './real-answers.ts';

const png = base64Of('png');
const png2 = base64Of('png', 2);

const call = (more: object = {}) => ({
  id: 'ig',
  type: 'image_generation_call',
  status: 'completed',
  result: png,
  revised_prompt: 'A cat',
  size: '1024x1024',
  quality: 'high',
  output_format: 'webp',
  ...more,
});
const response = (more: object) => ({
  id: 'resp',
  object: 'response',
  created_at: 1,
  status: 'completed',
  error: null,
  incomplete_details: null,
  model: 'gpt-5',
  ...more,
});
const message = (content: unknown, more: object = {}) => ({
  id: 'c',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content, ...more } }],
  usage: { total_tokens: 3 },
});

describeAnswers('openai', [
  {
    name: 'a call that has begun',
    answer: {
      type: 'response.output_item.added',
      output_index: 0,
      item: { id: 'ig', type: 'image_generation_call', status: 'in_progress' },
    },
    state: 'running',
  },
  {
    name: 'pages that were searched',
    answer: response({
      output: [
        {
          type: 'web_search_call',
          status: 'completed',
          action: { type: 'search', sources: [{ type: 'url', url: url('found.png') }] },
        },
        call(),
      ],
    }),
    outputs: [png],
    ignored: [url('found.png')],
  },
  {
    name: 'a response that repeats the input',
    answer: response({
      input: [{ role: 'user', content: [{ type: 'input_image', image_url: url('in.png') }] }],
      output: [call()],
    }),
    outputs: [png],
    ignored: [url('in.png')],
  },
  { name: 'no picture at all', answer: { created: 1, data: [] } },
  {
    name: 'pictures with their settings',
    answer: {
      created: 1,
      background: 'opaque',
      output_format: 'webp',
      quality: 'high',
      size: '1024x1536',
      data: [{ b64_json: png }, { b64_json: png2 }],
      usage: { total_tokens: 10 },
    },
    outputs: [png, png2],
    facts: { size: '1024x1536', quality: 'high' },
  },
  {
    name: 'a piece of a picture in a stream',
    answer: {
      type: 'image_generation.partial_image',
      b64_json: png,
      partial_image_index: 0,
      created_at: 1,
      size: '1x1',
    },
    state: 'running',
  },
  {
    name: 'the end of a stream',
    answer: {
      type: 'image_generation.completed',
      b64_json: png,
      created_at: 1,
      size: '1024x1024',
      quality: 'low',
      background: 'auto',
      output_format: 'png',
      usage: {},
    },
    outputs: [png],
    facts: { size: '1024x1024' },
  },
  {
    name: 'the end of an edit',
    answer: { type: 'image_edit.completed', b64_json: png, created_at: 1, size: '1x1' },
    outputs: [png],
  },
  {
    name: 'a piece of a response',
    answer: {
      type: 'response.image_generation_call.partial_image',
      output_index: 0,
      item_id: 'ig',
      sequence_number: 5,
      partial_image_index: 0,
      partial_image_b64: png,
    },
    state: 'running',
  },
  {
    name: 'an output that is done, with more to come',
    answer: { type: 'response.output_item.done', output_index: 0, sequence_number: 9, item: call() },
    outputs: [png],
  },
  {
    name: 'a response that began',
    answer: { type: 'response.created', sequence_number: 0, response: response({ status: 'in_progress', output: [] }) },
    state: 'running',
  },
  {
    name: 'a response that ended, as an event',
    answer: { type: 'response.completed', sequence_number: 0, response: response({ output: [call()] }) },
    outputs: [png],
    facts: { id: 'resp', size: '1024x1024', quality: 'high' },
    each: { [png]: { generation: { revisedPrompt: 'A cat' } } },
  },
  {
    name: 'a response that failed, as an event',
    answer: {
      type: 'response.failed',
      response: response({
        status: 'failed',
        error: { code: 'server_error', message: 'The model failed to generate a response.' },
        output: [],
      }),
    },
    state: 'failed',
    error: 'failed to generate',
  },
  {
    name: 'an error in a stream',
    answer: { type: 'error', code: 'ERR_SOMETHING', message: 'Something went wrong', param: null, sequence_number: 1 },
    state: 'failed',
    error: 'Something went wrong',
  },
  {
    name: 'a call that failed in a whole response',
    answer: response({
      output: [
        call({ status: 'failed', result: null }),
        { type: 'message', content: [{ type: 'output_text', text: 'I could not draw that.' }] },
      ],
    }),
    state: 'failed',
    error: 'I could not draw that',
  },
  {
    name: 'a refusal',
    answer: response({
      output: [{ type: 'message', content: [{ type: 'refusal', refusal: 'I cannot help with that.' }] }],
    }),
    state: 'failed',
    error: 'I cannot help',
  },
  {
    name: 'a chat with pictures',
    answer: message('Here.', {
      images: [{ type: 'image_url', image_url: { url: `data:image/png;base64,${png}` }, index: 0 }],
    }),
    outputs: [`data:image/png;base64,${png}`],
  },
  {
    name: 'a chat with a picture in its text',
    answer: message(`Done!\n\n![a fox](${url('fox.png')})\n\n[Download](${url('fox.png')})`),
    outputs: [url('fox.png')],
  },
  {
    name: 'a chat with bytes in its text',
    answer: message(`![image](data:image/png;base64,${png})`),
    outputs: [`data:image/png;base64,${png}`],
  },
  {
    name: 'a chat with parts',
    answer: message([
      { type: 'text', text: 'Here.' },
      { type: 'image_url', image_url: { url: url('a.png') } },
    ]),
    outputs: [url('a.png')],
  },
  {
    name: 'a chat with speech',
    answer: message(null, { audio: { id: 'a', data: base64Of('wav'), transcript: 'Hi', expires_at: 1 } }),
    outputs: [base64Of('wav')],
  },
  {
    name: 'a chat that only talks',
    answer: message('I cannot create images.'),
    state: 'failed',
    error: 'cannot create images',
  },
  {
    name: 'a video in the queue',
    answer: {
      id: 'video_1',
      object: 'video',
      model: 'sora-2',
      status: 'queued',
      progress: 0,
      created_at: 1,
      size: '720x1280',
      seconds: '8',
      quality: 'standard',
    },
    state: 'running',
  },
  {
    name: 'a video that is made, whose bytes must be asked for',
    answer: {
      id: 'video_1',
      object: 'video',
      model: 'sora-2',
      status: 'completed',
      progress: 100,
      created_at: 1,
      size: '720x1280',
      seconds: '8',
    },
  },
  {
    name: 'a video that was refused',
    answer: {
      id: 'video_1',
      object: 'video',
      status: 'failed',
      progress: 0,
      error: { code: 'moderation_blocked', message: 'Your request was blocked by our moderation system.' },
    },
    state: 'failed',
    error: 'blocked by our moderation',
  },
  {
    name: 'a picture of Azure with its filters',
    answer: {
      created: 1,
      data: [
        {
          url: url('a.png'),
          revised_prompt: 'a fox',
          content_filter_results: {
            hate: { filtered: false, severity: 'safe' },
            profanity: { detected: false, filtered: false },
          },
          prompt_filter_results: { hate: { filtered: false, severity: 'safe' } },
        },
      ],
    },
    outputs: [url('a.png')],
    each: { [url('a.png')]: { generation: { revisedPrompt: 'a fox' } } },
  },
  {
    name: 'a refusal of Azure',
    answer: {
      error: {
        code: 'content_policy_violation',
        inner_error: {
          code: 'ResponsibleAIPolicyViolation',
          content_filter_results: { violence: { filtered: true, severity: 'high' } },
        },
        message: 'Your request was rejected as a result of our safety system.',
        type: 'invalid_request_error',
      },
    },
    state: 'failed',
    error: 'safety system',
  },
  {
    name: 'a job of Azure that has not begun',
    answer: { id: 'o', status: 'notRunning', created: 1 },
    state: 'running',
  },
  {
    name: 'a job of Azure that ended',
    answer: { id: 'o', status: 'succeeded', created: 1, expires: 2, result: { created: 1, data: [{ url: url('a') }] } },
    outputs: [url('a')],
  },
]);
