import { base64Of, describeAnswers, url } from './real-answers.ts';

const png = base64Of('png');

describeAnswers('generic', [
  {
    name: 'Gradio',
    answer: {
      data: [
        {
          path: '/tmp/a.png',
          url: url('file=/tmp/a.png'),
          orig_name: 'a.png',
          mime_type: 'image/png',
          meta: { _type: 'gradio.FileData' },
        },
      ],
      is_generating: false,
    },
    outputs: ['/tmp/a.png'],
  },
  {
    name: 'PixVerse',
    answer: { ErrCode: 0, ErrMsg: 'success', Resp: { id: 1, status: 1, url: url('v.mp4'), seed: 5, prompt: 'a fox' } },
    outputs: [url('v.mp4')],
    facts: { prompt: 'a fox', generation: { seed: 5 } },
  },
  {
    name: 'PixVerse that refused',
    answer: { ErrCode: 400017, ErrMsg: 'invalid parameter', Resp: null },
    state: 'failed',
    error: 'invalid parameter',
  },
  {
    name: 'SiliconFlow',
    answer: { status: 'Succeed', reason: '', results: { videos: [{ url: url('v') }], timings: {}, seed: 3 } },
    outputs: [url('v')],
    facts: { generation: { seed: 3 } },
  },
  {
    name: 'a tool of MCP',
    answer: {
      content: [
        { type: 'image', data: png, mimeType: 'image/png' },
        { type: 'text', text: 'ok' },
      ],
      isError: false,
    },
    outputs: [png],
  },
  {
    name: 'a tool of MCP that failed',
    answer: { content: [{ type: 'text', text: 'it broke' }], isError: true },
    state: 'failed',
    error: 'it broke',
  },
  {
    name: 'an answer of AWS Lambda',
    answer: { statusCode: 200, body: `{"images": ["${url('a.png')}"]}` },
    outputs: [url('a.png')],
  },
  {
    name: 'a failure of AWS Lambda',
    answer: { statusCode: 500, body: '{"error": "boom"}' },
    state: 'failed',
    error: 'boom',
  },
  {
    name: 'an error of GraphQL',
    answer: { data: null, errors: [{ message: 'Not authorised', extensions: { code: 'X' } }] },
    state: 'failed',
    error: 'Not authorised',
  },
  {
    name: 'one of two failed',
    answer: {
      jobId: 'g',
      status: 'COMPLETED_WITH_ERRORS',
      outputs: [{ url: url('a.png') }, { error: 'out of memory' }],
    },
    outputs: [url('a.png')],
    error: 'out of memory',
  },
  {
    name: 'Bria',
    answer: {
      result: [
        { urls: [url('a.png')], seed: 8, uuid: 'u' },
        { urls: [url('b.png')], seed: 9, uuid: 'v' },
      ],
    },
    outputs: [url('a.png'), url('b.png')],
    each: { [url('b.png')]: { generation: { seed: 9 } } },
  },
  {
    name: 'Bria, version 2',
    answer: {
      status: 'COMPLETED',
      request_id: 'r',
      result: { image_url: url('a'), seed: 8, prompt: 'a fox', refined_prompt: 'a red fox' },
    },
    outputs: [url('a')],
    facts: { id: 'r', prompt: 'a fox', generation: { seed: 8 } },
  },
  {
    name: 'Bria that took a task',
    answer: { request_id: 'r', status_url: 'https://engine.prod.bria-api.com/v2/status/r' },
    state: 'running',
  },
  {
    name: 'Bria that failed',
    answer: { status: 'ERROR', request_id: 'r', error: { code: 422, message: 'Prompt moderated', details: 'nsfw' } },
    state: 'failed',
    error: 'Prompt moderated',
  },
  {
    name: 'Freepik',
    answer: {
      data: {
        task_id: 't',
        status: 'COMPLETED',
        generated: ['https://ai-statics.freepik.com/x/abc?token=1'],
        has_nsfw: [false],
      },
    },
    outputs: ['https://ai-statics.freepik.com/x/abc?token=1'],
  },
  {
    name: 'Freepik, classic',
    answer: {
      data: [{ base64: png, has_nsfw: false }],
      meta: { image: { size: 'square', width: 1024, height: 1024 }, seed: 42, prompt: 'a fox' },
    },
    outputs: [png],
    facts: { prompt: 'a fox', generation: { seed: 42 } },
  },
  {
    name: 'WaveSpeed',
    answer: {
      code: 200,
      message: 'success',
      data: {
        id: 'w',
        model: 'm',
        outputs: [url('a.png')],
        urls: { get: 'https://api.wavespeed.ai/api/v3/predictions/w/result' },
        has_nsfw_contents: [false],
        status: 'completed',
        error: '',
        timings: { inference: 9 },
      },
    },
    outputs: [url('a.png')],
    facts: { id: 'w', model: 'm' },
  },
  {
    name: 'WaveSpeed that failed',
    answer: {
      code: 200,
      message: 'success',
      data: { id: 'w', status: 'failed', outputs: [], error: 'content flagged' },
    },
    state: 'failed',
    error: 'content flagged',
  },
  {
    name: 'Hugging Face that refused',
    answer: { error: 'Model x is currently loading', estimated_time: 20 },
    state: 'failed',
    error: 'currently loading',
  },
  {
    name: 'Cloudflare that refused',
    answer: { result: null, success: false, errors: [{ message: 'AiError: Bad input', code: 5006 }], messages: [] },
    state: 'failed',
    error: 'Bad input',
  },
  {
    name: 'DashScope with one of two failed',
    answer: {
      request_id: 'r',
      output: {
        task_id: 't',
        task_status: 'SUCCEEDED',
        results: [
          { orig_prompt: 'fox', actual_prompt: 'a red fox', url: url('a.png') },
          { code: 'InternalError.Timeout', message: 'An internal timeout error has occurred.' },
        ],
        task_metrics: { TOTAL: 2, SUCCEEDED: 1, FAILED: 1 },
      },
      usage: { image_count: 1 },
    },
    outputs: [url('a.png')],
    error: 'internal timeout',
    each: { [url('a.png')]: { generation: { revisedPrompt: 'a red fox' } } },
  },
  {
    name: 'DashScope that failed',
    answer: {
      request_id: 'r',
      output: {
        task_id: 't',
        task_status: 'FAILED',
        code: 'DataInspectionFailed',
        message: 'Input data may contain inappropriate content.',
      },
    },
    state: 'failed',
    error: 'inappropriate content',
  },
  {
    name: 'DashScope that refused',
    answer: { code: 'InvalidApiKey', message: 'No API-key provided.', request_id: 'r' },
    state: 'failed',
    error: 'No API-key',
  },
  {
    name: 'DashScope, at once',
    answer: {
      output: {
        choices: [
          { finish_reason: 'stop', message: { role: 'assistant', content: [{ image: url('a.png?Expires=1') }] } },
        ],
      },
      usage: { image_count: 1 },
      request_id: 'r',
    },
    outputs: [url('a.png?Expires=1')],
  },
  {
    name: 'Seedance with its last frame',
    answer: {
      id: 's',
      model: 'seedance',
      status: 'succeeded',
      content: { video_url: url('v.mp4'), last_frame_url: url('l.png') },
      seed: 3,
      resolution: '720p',
      usage: { total_tokens: 1 },
    },
    outputs: [url('v.mp4'), url('l.png')],
    facts: { generation: { seed: 3 } },
  },
  {
    name: 'Zhipu',
    answer: {
      model: 'cogvideox',
      request_id: 'r',
      task_status: 'SUCCESS',
      video_result: [{ url: url('v.mp4'), cover_image_url: url('c.png') }],
      id: 'z',
    },
    outputs: [url('v.mp4'), url('c.png')],
  },
  {
    name: 'Tencent',
    answer: {
      Response: { Status: 'DONE', ErrorCode: '', ErrorMessage: '', ResultVideoUrl: url('v.mp4'), RequestId: 'r' },
    },
    outputs: [url('v.mp4')],
  },
  {
    name: 'Tencent in work',
    answer: { Response: { Status: 'RUN', ErrorCode: '', ErrorMessage: '', ResultVideoUrl: '', RequestId: 'r' } },
    state: 'running',
  },
  {
    name: 'Tencent that failed',
    answer: {
      Response: {
        Status: 'FAIL',
        ErrorCode: 'FailedOperation.InnerError',
        ErrorMessage: 'The service had an error.',
        RequestId: 'r',
      },
    },
    state: 'failed',
    error: 'service had an error',
  },
  {
    name: 'Adobe Firefly',
    answer: {
      status: 'succeeded',
      jobId: 'j',
      result: { size: { width: 1, height: 1 }, outputs: [{ seed: 7, image: { url: url('a') } }], contentClass: 'art' },
    },
    outputs: [url('a')],
    each: { [url('a')]: { generation: { seed: 7 } } },
  },
  {
    name: 'Adobe Firefly that took a task',
    answer: {
      jobId: 'j',
      statusUrl: 'https://firefly-api.adobe.io/v3/status/j',
      cancelUrl: 'https://firefly-api.adobe.io/v3/cancel/j',
    },
    state: 'running',
  },
  {
    name: 'Adobe Firefly that refused',
    answer: { error_code: 'prompt_unsafe', message: 'The prompt is not allowed.' },
    state: 'failed',
    error: 'not allowed',
  },
  {
    name: 'Baseten',
    answer: { type: 'async_request_completed', request_id: 'r', model_id: 'm', data: { image: png }, errors: [] },
    outputs: [png],
    facts: { id: 'r' },
  },
  {
    name: 'Baseten that failed',
    answer: {
      type: 'async_request_completed',
      request_id: 'r',
      data: null,
      errors: [{ code: 'MODEL_PREDICT_ERROR', message: 'Details: boom' }],
    },
    state: 'failed',
    error: 'boom',
  },
  {
    name: 'OpenRouter with a video',
    answer: {
      id: 'o',
      generation_id: 'g',
      polling_url: 'https://openrouter.ai/api/v1/videos/o',
      status: 'completed',
      unsigned_urls: ['https://openrouter.ai/api/v1/videos/o/content?index=0'],
      usage: { cost: 0.5 },
    },
    outputs: ['https://openrouter.ai/api/v1/videos/o/content?index=0'],
  },
  {
    name: 'a run of RunComfy',
    answer: {
      request_id: 'r',
      status: 'completed',
      outputs: {
        9: { images: [{ url: url('a.png'), filename: 'a.png', subfolder: '', type: 'output' }] },
        12: { gifs: [{ url: url('v.mp4'), filename: 'v.mp4', type: 'output' }] },
        13: { images: [{ url: url('tmp.png'), filename: 'tmp.png', type: 'temp' }] },
      },
    },
    outputs: [url('a.png'), url('v.mp4')],
    ignored: [url('tmp.png')],
  },
  { name: 'Freepik that refused', answer: { message: 'Invalid API key' }, state: 'failed', error: 'Invalid API key' },
]);
