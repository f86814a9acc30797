import fc from 'fast-check';
import { expect, test } from 'vitest';
import { progressOf } from '../../../src/sources/answers/answer.ts';
import { errorOf } from '../../../src/sources/answers/answer-error.ts';
import { fal } from '../../../src/sources/providers/fal.ts';
import { gemini } from '../../../src/sources/providers/gemini.ts';
import { generic } from '../../../src/sources/providers/generic.ts';
import { openai } from '../../../src/sources/providers/openai.ts';
import { replicate } from '../../../src/sources/providers/replicate.ts';
import { runpod } from '../../../src/sources/providers/runpod.ts';

const error = (name: string | undefined, message: string) => ({ class: name, message });

test('runpod: errors are read from the SDK’s JSON, a handler’s fields and the final state', () => {
  const of = (fields: object) => runpod.parse({ id: 'j', status: 'FAILED', ...fields }).error;
  const sdk = {
    error_type: "<class 'RuntimeError'>",
    error_message: 'CUDA out of memory',
    error_traceback: 'Traceback',
  };
  expect(of({ error: JSON.stringify(sdk) })).toEqual(error('RuntimeError', 'CUDA out of memory'));
  expect(of({ error: 'boom', error_type: 'OutOfMemoryError' })).toEqual(error('OutOfMemoryError', 'boom'));
  expect(of({ error: 'boom', errorClass: 'oom' })).toEqual(error('oom', 'boom'));
  expect(of({ output: { error: 'boom', error_class: 'oom' } })).toEqual(error('oom', 'boom'));
  expect(of({ error_message: 'boom', error_type: 'oom' })).toEqual(error('oom', 'boom'));
  expect(of({ message: 'boom' })).toEqual(error(undefined, 'boom'));
  expect(of({ error: 'ValueError: no such LoRA' })).toEqual(error('ValueError', 'ValueError: no such LoRA'));
  expect(of({ error: '{"a": broken' })).toEqual(error(undefined, '{"a": broken'));
  expect(of({ status: 'TIMED_OUT', error: 'job timed out' })).toEqual(error('TIMED_OUT', 'job timed out'));
  expect(of({ status: 'TIMED_OUT' })).toEqual(error('TIMED_OUT', 'the job took longer than it may'));
  expect(of({ status: 'CANCELLED' })).toEqual(error('CANCELLED', 'the job was canceled'));
  const errors = ['node 4: no model', { message: 'node 5 failed', type: 'OOM' }, 'node 4: no model'];
  expect(of({ status: 'COMPLETED', output: { images: [], errors } })).toEqual(
    error('OOM', 'node 4: no model; node 5 failed'),
  );
});

test('generic, replicate, fal, openai and gemini: the error class is the provider’s name for it', () => {
  expect(generic.parse({ status: 'failed', error: { class: 'oom', message: 'boom' } }).error).toEqual(
    error('oom', 'boom'),
  );
  const replicateError = (status: string, text?: string) => replicate.parse({ id: 'p', status, error: text }).error;
  expect(replicateError('failed', 'The input was flagged as sensitive. (E005)')).toMatchObject({ class: 'E005' });
  expect(replicateError('failed', 'torch.cuda.OutOfMemoryError: CUDA')).toMatchObject({
    class: 'torch.cuda.OutOfMemoryError',
  });
  expect(replicateError('canceled')).toEqual(error('canceled', 'the prediction was canceled'));
  const falError = (payload: object, said = 'Invalid status code: 422') =>
    fal.parse({ request_id: 'r', status: 'ERROR', error: said, payload }).error;
  expect(
    falError({ detail: [{ loc: ['body', 'prompt'], msg: 'field required', type: 'value_error.missing' }] }),
  ).toEqual(error('value_error.missing', 'Invalid status code: 422: body.prompt: field required'));
  expect(falError({ detail: [{ loc: ['body', 'prompt'], msg: 'field required' }] })).toMatchObject({ class: '422' });
  expect(falError({})).toEqual(error('422', 'Invalid status code: 422'));
  expect(
    openai.parse({ error: { message: 'refused', type: 'image_generation_user_error', code: 'moderation_blocked' } })
      .error,
  ).toEqual(error('image_generation_user_error', 'refused'));
  expect(openai.parse({ error: { message: 'refused', type: null, code: 'moderation_blocked' } }).error).toEqual(
    error('moderation_blocked', 'refused'),
  );
  expect(gemini.parse({ error: { code: 429, message: 'slow down', status: 'RESOURCE_EXHAUSTED' } }).error).toEqual(
    error('RESOURCE_EXHAUSTED', 'slow down'),
  );
});

test('any JSON as an error is read without an exception and gives a message', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (value, beside) => {
      const found = errorOf(value, beside);
      if (found) expect(found.message.length).toBeGreaterThan(0);
      errorOf(JSON.stringify(value), beside);
    }),
  );
});

test.each([
  [0.5, 50],
  ['50%', 50],
  ['12.5 %', 12.5],
  ['0.25', 25],
  [0, 0],
  [1, 1],
  [73, 73],
  ['73', 73],
  ['soon', undefined],
  [undefined, undefined],
])('a progress of %j is read as %j percent', (said, percent) => {
  expect(progressOf(said)).toBe(percent);
  expect(runpod.parse({ id: 'j', status: 'IN_PROGRESS', progress: said }).progress).toBe(percent);
  expect(generic.parse({ jobId: 'j', status: 'running', progress: said }).progress).toBe(percent);
});
