import {
  type AnswerOutput,
  type AnswerState,
  type Json,
  type OutputBytes,
  type ProviderAnswer,
  asArray,
  asNumber,
  asObject,
  asText,
  bytesOf,
  errorOf,
  present,
} from './answer.ts';

const STATES: readonly AnswerState[] = ['queued', 'running', 'succeeded', 'failed', 'canceled'];

/**
 * Our own form, for back ends that can choose what they send:
 * `{jobId, status, progress?, error?, prompt?, model?, generation?, outputs: [{url | data | path, filename?, contentType?, generation?}]}`
 */
export function genericAnswer(response: unknown): ProviderAnswer {
  const body = asObject(response);
  const outputs = asArray(body['outputs']).flatMap((entry) => outputOf(entry));
  const error = errorOf(body['error']);
  const said = asText(body['status'])?.toLowerCase();
  const state =
    STATES.find((name) => name === said) ?? (error ? 'failed' : outputs.length > 0 ? 'succeeded' : 'running');
  return {
    id: asText(body['jobId']) ?? asText(body['id']),
    state,
    progress: asNumber(body['progress']),
    error,
    outputs,
    prompt: asText(body['prompt']),
    model: asText(body['model']),
    size: asText(body['size']),
    quality: asText(body['quality']),
    generation: present({ ...asObject(body['generation']), timings: body['timings'] }),
  };
}

function outputOf(entry: Json): AnswerOutput[] {
  const text = asText(entry);
  if (text !== undefined) return [{ from: [bytesOf(text)] }];
  const output = asObject(entry);
  const path = asText(output['path']) ?? asText(output['key']);
  const data = asText(output['data']);
  const url = asText(output['url']);
  const from: OutputBytes[] = [];
  if (path !== undefined) from.push({ type: 'object', path });
  if (data !== undefined) from.push(bytesOf(data));
  if (url !== undefined) from.push(bytesOf(url));
  if (from.length === 0) return [];
  return [
    {
      from,
      filename: asText(output['filename']),
      subfolder: asText(output['subfolder']),
      contentType: asText(output['contentType']),
      generation: asObject(output['generation']),
    },
  ];
}
