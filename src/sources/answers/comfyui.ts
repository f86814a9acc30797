import type { Json, JsonObject } from '../../json/json.ts';
import { errorOf } from './answer-error.ts';
import { type AnswerOutput, type ProviderAnswer, asArray, asObject, asText, bytesOf, present } from './answer.ts';
import { factsOfGraph } from './embedded-facts.ts';
import { findOutputs } from './find-outputs.ts';

/** A file that a node of a ComfyUI workflow has put out. */
export interface ComfyFile {
  node: string;
  filename: string;
  subfolder: string;
  /** `output` or `input`; temporary files are left out. */
  type: string;
}

/** What a history entry says; undefined while the run is not finished: a missing id answers `{}`. */
export interface ComfyHistory {
  state: 'succeeded' | 'failed';
  error?: { class?: string | undefined; message: string } | undefined;
  files: ComfyFile[];
  /** The graph that was run, by node. */
  graph: JsonObject;
  /** As the editor loads it, when it came along. */
  workflow: JsonObject | undefined;
}

/** Reads `GET /history/{prompt_id}`, for one prompt. Every key of every node's output is looked at, whatever its name. */
export function comfyHistory(response: unknown, promptId?: string): ComfyHistory | undefined {
  const all = asObject(response);
  const entry = asObject(promptId === undefined ? Object.values(all)[0] : all[promptId]);
  const status = asObject(entry['status']);
  const failed = status['status_str'] === 'error';
  if (!failed && (Object.keys(entry).length === 0 || status['completed'] === false)) return undefined;
  const prompt = asArray(entry['prompt']);
  const workflow = asObject(asObject(asObject(prompt[3])['extra_pnginfo'])['workflow']);
  return {
    state: failed ? 'failed' : 'succeeded',
    error: failed ? (executionError(asArray(status['messages'])) ?? { message: 'the workflow failed' }) : undefined,
    files: Object.entries(asObject(entry['outputs'])).flatMap(([node, output]) => filesOf(node, output)),
    graph: asObject(prompt[2]),
    workflow: Object.keys(workflow).length > 0 ? workflow : undefined,
  };
}

function filesOf(node: string, output: Json): ComfyFile[] {
  return Object.values(asObject(output)).flatMap((list) =>
    asArray(list).flatMap((entry) => {
      // Values that are no files (`animated: [true]`) stand among them.
      const { filename, subfolder, type } = asObject(entry);
      const name = asText(filename);
      if (name === undefined || type === 'temp') return [];
      return [{ node, filename: name, subfolder: asText(subfolder) ?? '', type: asText(type) ?? 'output' }];
    }),
  );
}

/** `messages` is a list of [event, data]; the failure names the node and what it said. */
function executionError(messages: readonly Json[]): { class?: string; message: string } | undefined {
  for (const message of messages) {
    const [event, data] = asArray(message);
    if (event !== 'execution_error' && event !== 'execution_interrupted') continue;
    const { node_id: node, node_type: kind, exception_type: type, exception_message: text } = asObject(data);
    const where = asText(node) === undefined ? '' : `node ${asText(node)} (${asText(kind) ?? 'unknown'}): `;
    return {
      message:
        where + (asText(text)?.trim() ?? (event === 'execution_interrupted' ? 'the run was interrupted' : 'failed')),
      ...(asText(type) !== undefined && { class: asText(type) ?? '' }),
    };
  }
  return undefined;
}

/** Where ComfyUI gives the bytes of a file. */
export function comfyViewUrl(baseUrl: string, { filename, subfolder, type }: ComfyFile): string {
  const query = new URLSearchParams({ filename, subfolder, type });
  return `${baseUrl.replace(/(?<!\/)\/+$/, '')}/view?${query.toString()}`;
}

/** comfyui-api: `{id, prompt, images, filenames, stats}` with the graph as `prompt`, its webhooks too; the older ones bring one image per call. */
export function comfyApiAnswer(response: unknown): ProviderAnswer {
  const body = asObject(response);
  const type = asText(body['type']);
  const single = asText(body['image']);
  const names = asArray(body['filenames']).map((name) => asText(name));
  const images = single === undefined ? asArray(body['images']).map((image) => asText(image)) : [single];
  const error = errorOf(body['error'], body);
  const known = images.flatMap((image, index): AnswerOutput[] =>
    image === undefined ? [] : [{ from: [bytesOf(image)], filename: asText(body['filename']) ?? names[index] }],
  );
  const outputs = known.length > 0 || error || type === 'prompt.failed' ? known : findOutputs(body);
  const facts = factsOfGraph(body['prompt']);
  const failed = type === 'prompt.failed' || (error !== undefined && outputs.length === 0);
  return {
    id: asText(body['id']),
    // One image of several: the completion comes in a call of its own.
    state: failed ? 'failed' : body['event'] === 'output.complete' ? 'running' : 'succeeded',
    error: failed ? (error ?? { message: 'the workflow failed' }) : error,
    outputs,
    prompt: facts.prompt ?? asText(body['prompt']),
    model: facts.model,
    generation: present({ ...facts.generation, timings: body['stats'], timestamp: body['timestamp'] }),
  };
}
