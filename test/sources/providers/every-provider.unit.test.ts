import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ProviderAnswer } from '../../../src/sources/answers/answer.ts';
import { PROVIDERS } from '../../../src/sources/providers/registry.ts';

/** What a generated answer holds. */
interface Said {
  /** Addresses of outputs. */
  outputs: readonly string[];
  /** The address of a picture that the request named. */
  echo: string;
  reason: string;
  /** The address of a page about the error. */
  page: string;
}

/** One form of a provider's answers: whole, failed, and of work that goes on. */
interface Forms {
  whole: (said: Said) => object;
  failed: (said: Said) => object;
  unfinished: (said: Said) => object;
}

const file = (url: string) => ({ url, content_type: 'image/png' });

const FORMS: Readonly<Record<(typeof PROVIDERS)[number]['name'], Forms>> = {
  openai: {
    whole: ({ outputs }) => ({ created: 1, data: outputs.map((url) => ({ url, revised_prompt: 'a fox' })) }),
    failed: ({ reason }) => ({
      error: { message: reason, type: 'image_generation_user_error', code: 'moderation_blocked' },
    }),
    unfinished: () => ({ id: 'resp_1', object: 'response', status: 'in_progress', output: [] }),
  },
  fal: {
    whole: ({ outputs, echo }) => ({
      request_id: 'r',
      status: 'OK',
      payload: { images: outputs.map(file), seed: 1, input: { image_url: echo } },
    }),
    failed: ({ reason, echo, page }) => ({
      request_id: 'r',
      status: 'ERROR',
      error: 'Unexpected status code: 422',
      payload: { detail: [{ loc: ['body'], msg: reason, type: 'x', url: page, input: { image_url: echo } }] },
    }),
    unfinished: ({ page }) => ({
      status: 'IN_PROGRESS',
      request_id: 'r',
      response_url: page,
      status_url: page,
      logs: null,
    }),
  },
  replicate: {
    whole: ({ outputs, echo }) => ({
      id: 'p',
      status: 'succeeded',
      input: { image: echo },
      output: outputs,
      urls: { get: echo },
    }),
    failed: ({ reason, echo }) => ({ id: 'p', status: 'failed', input: { image: echo }, output: null, error: reason }),
    unfinished: ({ echo }) => ({ id: 'p', status: 'processing', input: { image: echo }, output: null }),
  },
  runpod: {
    whole: ({ outputs, echo }) => ({
      id: 'j',
      status: 'COMPLETED',
      input: { image_url: echo },
      output: { images: outputs.map((data) => ({ filename: 'a.png', type: 's3_url', data })) },
    }),
    failed: ({ reason, echo }) => ({
      id: 'j',
      status: 'COMPLETED',
      input: { image_url: echo },
      output: { status: 'error', message: reason },
    }),
    unfinished: () => ({ id: 'j', status: 'IN_QUEUE' }),
  },
  comfyui: {
    whole: ({ outputs }) => ({
      id: 'c',
      status: 'succeeded',
      outputs: outputs.map((url) => ({ node_id: '9', name: 'a.png', type: 'image', content_type: 'image/png', url })),
      error: null,
      urls: { self: '/api/v2/jobs/c', events: '/e', cancel: '/c' },
    }),
    failed: ({ reason }) => ({
      id: 'c',
      status: 'failed',
      outputs: [],
      error: { code: 'node_execution_error', message: reason },
    }),
    unfinished: ({ outputs }) => ({ id: 'c', status: 'running', outputs: outputs.slice(0, 1).map(file), error: null }),
  },
  gemini: {
    whole: ({ outputs }) => ({
      candidates: [
        {
          content: { parts: outputs.map((fileUri) => ({ fileData: { mimeType: 'image/png', fileUri } })) },
          finishReason: 'STOP',
        },
      ],
    }),
    failed: ({ reason }) => ({ candidates: [{ finishReason: 'IMAGE_SAFETY', finishMessage: reason }] }),
    unfinished: () => ({ name: 'models/veo-3.0/operations/abc' }),
  },
  stability: {
    whole: ({ outputs }) => ({ artifacts: outputs.map((url) => ({ url, seed: 1, finishReason: 'SUCCESS' })) }),
    failed: ({ reason }) => ({ id: 's', name: 'content_moderation', errors: [reason] }),
    unfinished: () => ({ id: 's', status: 'in-progress' }),
  },
  automatic1111: {
    whole: ({ outputs }) => ({ image_urls: outputs, info: '{}' }),
    failed: ({ reason }) => ({ error: 'OutOfMemoryError', errors: reason }),
    unfinished: () => ({ id: 't', status: 'pending' }),
  },
  bfl: {
    whole: ({ outputs }) => ({
      id: 'b',
      status: 'Ready',
      result: { sample: outputs[0], others: outputs.slice(1), seed: 1 },
    }),
    failed: ({ reason }) => ({
      id: 'b',
      status: 'Request Moderated',
      result: null,
      details: { 'Moderation Reasons': [reason] },
    }),
    unfinished: ({ page }) => ({ id: 'b', polling_url: page }),
  },
  luma: {
    whole: ({ outputs, echo }) => ({
      id: 'l',
      state: 'completed',
      assets: { image: outputs[0], images: outputs.slice(1) },
      request: { image_ref: [{ url: echo }] },
    }),
    failed: ({ reason, echo }) => ({
      id: 'l',
      state: 'failed',
      failure_reason: reason,
      assets: null,
      request: { image_ref: [{ url: echo }] },
    }),
    unfinished: () => ({ id: 'l', state: 'dreaming', assets: null, failure_reason: null }),
  },
  runway: {
    whole: ({ outputs }) => ({ id: 'w', status: 'SUCCEEDED', output: outputs }),
    failed: ({ reason }) => ({ id: 'w', status: 'FAILED', failure: reason, failureCode: 'SAFETY.INPUT.TEXT' }),
    unfinished: () => ({ id: 'w', status: 'THROTTLED' }),
  },
  kling: {
    whole: ({ outputs, echo }) => ({
      code: 0,
      message: 'SUCCEED',
      data: {
        task_id: 'k',
        task_status: 'succeed',
        task_info: { parent_video: { id: 'v', url: echo } },
        task_result: { images: outputs.map((url, index) => ({ index, url })) },
      },
    }),
    failed: ({ reason }) => ({
      code: 0,
      message: 'SUCCEED',
      data: { task_id: 'k', task_status: 'failed', task_status_msg: reason },
    }),
    unfinished: () => ({ code: 0, message: 'SUCCEED', data: { task_id: 'k', task_status: 'submitted' } }),
  },
  leonardo: {
    whole: ({ outputs }) => ({
      generations_by_pk: {
        id: 'g',
        status: 'COMPLETE',
        generated_images: outputs.map((url, id) => ({ id, url, motionMP4URL: null })),
      },
    }),
    failed: ({ reason }) => ({
      type: 'image_generation.failed',
      data: { object: { id: 'g', status: 'FAILED', failureReason: reason } },
    }),
    unfinished: () => ({ sdGenerationJob: { generationId: 'g', apiCreditCost: 11 } }),
  },
  ideogram: {
    whole: ({ outputs }) => ({
      created: 'now',
      data: outputs.map((url) => ({ url, prompt: 'p', is_image_safe: true, seed: 1 })),
    }),
    failed: ({ reason }) => ({ error: reason }),
    unfinished: () => ({ request_id: 'i' }),
  },
  together: {
    whole: ({ outputs }) => ({
      id: 't',
      model: 'm',
      object: 'list',
      data: outputs.map((url, index) => ({ index, url })),
    }),
    failed: ({ reason }) => ({ id: 't', error: { message: reason, type: 'invalid_request_error' } }),
    unfinished: () => ({ id: 't', object: 'video', status: 'in_progress', outputs: null }),
  },
  fireworks: {
    whole: ({ outputs }) => ({ id: 'f', status: 'Ready', result: { sample: outputs[0], images: outputs.slice(1) } }),
    failed: ({ reason }) => ({ id: 'f', status: 'Error', result: null, details: { message: reason } }),
    unfinished: () => ({ request_id: 'f' }),
  },
  xai: {
    whole: ({ outputs }) => ({ data: outputs.map((url) => ({ url, revised_prompt: 'p' })) }),
    failed: ({ reason }) => ({ code: 'invalid-argument', error: reason }),
    unfinished: () => ({ request_id: 'x' }),
  },
  recraft: {
    whole: ({ outputs }) => ({ created: 1, credits: 4, data: outputs.map((url) => ({ image_id: 'i', url })) }),
    failed: ({ reason }) => ({ code: 'invalid_prompt', message: reason, success: false }),
    unfinished: () => ({ id: 'r', status: 'queued' }),
  },
  minimax: {
    whole: ({ outputs }) => ({
      id: 'm',
      data: { image_urls: outputs },
      base_resp: { status_code: 0, status_msg: 'success' },
    }),
    failed: ({ reason }) => ({ id: 'm', base_resp: { status_code: 1026, status_msg: reason } }),
    unfinished: () => ({ task_id: 'm', status: 'Preparing', base_resp: { status_code: 0, status_msg: 'success' } }),
  },
  generic: {
    whole: ({ outputs, echo }) => ({
      jobId: 'g',
      status: 'DONE',
      input: { image: echo },
      outputs: outputs.map((url) => ({ url })),
    }),
    failed: ({ reason }) => ({ jobId: 'g', status: 'rejected', failure_reason: reason }),
    unfinished: () => ({ jobId: 'g', status: 'Pending' }),
  },
};

/** Many providers: each needs fewer runs. */
const FEW = { numRuns: 40 };

const said = fc.record({
  outputs: fc
    .uniqueArray(fc.integer({ min: 1, max: 10 ** 9 }), { minLength: 1, maxLength: 6 })
    .map((ids) => ids.map((id) => `https://cdn.example.com/${id}.png`)),
  echo: fc.constant('https://uploads.example.com/in.png'),
  reason: fc.stringMatching(/^[A-Z][a-z]{5,20} [a-z]{5,20} [a-z]{5,20}$/),
  page: fc.constant('https://docs.example.com/errors.png'),
});

const urlsOf = ({ outputs }: ProviderAnswer) =>
  outputs.flatMap(({ from }) => from.map((each) => (each.type === 'url' ? each.url : each.type)));

describe.each(PROVIDERS.map((provider) => [provider.name, provider] as const))('%s', (name, provider) => {
  const forms = FORMS[name];

  test('a whole answer gives its outputs, each once, and what repeats the request is ignored with a reason', () => {
    fc.assert(
      fc.property(said, (each) => {
        const answer = provider.parse(forms.whole(each));
        expect(answer.state).toBe('succeeded');
        expect(urlsOf(answer).toSorted()).toEqual(each.outputs.toSorted());
        if (JSON.stringify(forms.whole(each)).includes(each.echo))
          expect(answer.ignored).toContainEqual(
            expect.objectContaining({ url: each.echo, reason: expect.any(String) }),
          );
      }),
      FEW,
    );
  });

  test('a failure keeps the reason of the provider, and gives no output', () => {
    fc.assert(
      fc.property(said, (each) => {
        const answer = provider.parse(forms.failed(each));
        expect(answer.state).toBe('failed');
        expect(answer.error?.message).toContain(each.reason);
        expect(answer.outputs).toEqual([]);
      }),
      FEW,
    );
  });

  test('work that goes on is told as that, and nothing of it is an output yet', () => {
    fc.assert(
      fc.property(said, (each) => {
        const answer = provider.parse(forms.unfinished(each));
        expect(['queued', 'running']).toContain(answer.state);
        expect(answer.outputs).toEqual([]);
      }),
      FEW,
    );
  });

  test('a request that was refused is a failure with its reason, in whatever form', () => {
    fc.assert(
      fc.property(said, ({ reason }) => {
        const refused: unknown[] = [
          { type: 'about:blank', title: 'Bad Request', status: 400, detail: reason },
          { statusCode: 500, error: 'Internal Server Error', message: reason },
          { code: 'invalid_argument', message: reason, request_id: 'r' },
          { detail: [{ loc: ['body', 'prompt'], msg: reason }] },
          { error: { code: 429, message: reason } },
          { success: false, message: reason },
          [{ error: { message: reason } }],
          { errors: [{ message: reason }] },
          { message: reason },
          { detail: reason },
        ];
        for (const body of refused) {
          const answer = provider.parse(body);
          expect(answer).toMatchObject({ state: 'failed', outputs: [] });
          expect(answer.error?.message).toContain(reason);
        }
      }),
      FEW,
    );
  });

  test('side files beside the outputs are ignored with a reason', () => {
    fc.assert(
      fc.property(said, fc.constantFrom('zip', 'srt', 'safetensors', 'json', 'vtt'), (each, ext) => {
        const side = `https://cdn.example.com/beside.${ext}`;
        const answer = provider.parse({
          ...forms.whole(each),
          extra_files: [{ url: side, content_type: 'application/octet-stream' }],
        });
        expect(urlsOf(answer).toSorted()).toEqual(each.outputs.toSorted());
        expect(answer.ignored).toContainEqual(expect.objectContaining({ url: side }));
      }),
      FEW,
    );
  });

  test('every picture in a whole answer is an output or ignored with a reason, wherever it stands', () => {
    const names = fc.constantFrom(
      'output',
      'input',
      'metadata',
      'errors',
      'logs',
      'thumbnail',
      'x',
      'request',
      'workflow',
      'preview',
      'details',
    );
    fc.assert(
      fc.property(said, fc.array(names, { minLength: 1, maxLength: 4 }), (each, path) => {
        const url = 'https://cdn.example.com/somewhere.png';
        const nested = path.reduceRight<unknown>((inner, part) => ({ [part]: inner }), url);
        const answer = provider.parse({ ...forms.whole(each), further: nested });
        expect([...urlsOf(answer), ...(answer.ignored ?? []).map((one) => one.url)]).toContain(url);
      }),
      FEW,
    );
  });

  test('any JSON is read without an exception, and a failure has a message', () => {
    fc.assert(
      fc.property(fc.jsonValue(), said, fc.dictionary(fc.string(), fc.jsonValue()), (value, each, more) => {
        for (const body of [value, { ...forms.whole(each), ...more }, { ...forms.failed(each), ...more }]) {
          const answer = provider.parse(body);
          if (answer.state === 'failed') expect(answer.error?.message.length).toBeGreaterThan(0);
        }
      }),
      FEW,
    );
  });
});
