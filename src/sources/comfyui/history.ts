import { asObject, asArray, nonBlankText } from '../answers/json-access.ts';
import type { Json, JsonObject } from '../../json/json.ts';

/** The `type` of a file of Comfy API v2 is this and the asset's id. */
export const ASSET = 'asset:';

/** An output file of a node of a ComfyUI workflow. */
export interface ComfyFile {
  node: string;
  filename: string;
  subfolder: string;
  /** `output` or `input`; temporary files are left out. `asset:{id}` for a file of Comfy API v2. */
  type: string;
}

/** An entry of the history, of a prompt that has ended. */
export interface ComfyHistory {
  state: 'succeeded' | 'failed';
  error?: { class?: string | undefined; message: string } | undefined;
  files: ComfyFile[];
  /** The nodes of the graph that was run, by id. */
  graph: JsonObject;
  /** The workflow in the editor's format, when the entry has one. */
  workflow: JsonObject | undefined;
}

/**
 * Reads one prompt of `GET /history/{prompt_id}`. Files are found under every key of every node's output.
 * @returns undefined while the prompt is running: ComfyUI answers `{}` then
 */
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
      // Some lists hold other values, such as `animated: [true]`.
      const { filename, subfolder, type } = asObject(entry);
      const name = nonBlankText(filename);
      if (name === undefined || type === 'temp') return [];
      return [{ node, filename: name, subfolder: nonBlankText(subfolder) ?? '', type: nonBlankText(type) ?? 'output' }];
    }),
  );
}

/** `messages` is a list of [event, data]. The error names the node that failed. */
function executionError(messages: readonly Json[]): { class?: string; message: string } | undefined {
  for (const message of messages) {
    const [event, data] = asArray(message);
    if (event !== 'execution_error' && event !== 'execution_interrupted') continue;
    const { node_id: node, node_type: kind, exception_type: type, exception_message: text } = asObject(data);
    const where =
      nonBlankText(node) === undefined ? '' : `node ${nonBlankText(node)} (${nonBlankText(kind) ?? 'unknown'}): `;
    return {
      message:
        where +
        (nonBlankText(text)?.trim() ?? (event === 'execution_interrupted' ? 'the run was interrupted' : 'failed')),
      ...(nonBlankText(type) !== undefined && { class: nonBlankText(type) ?? '' }),
    };
  }
  return undefined;
}

/** The URL at which ComfyUI serves a file. */
export function comfyViewUrl(baseUrl: string, { filename, subfolder, type }: ComfyFile): string {
  const base = baseUrl.replace(/(?<!\/)\/+$/, '');
  if (type.startsWith(ASSET)) return `${base}/api/v2/assets/${encodeURIComponent(type.slice(ASSET.length))}/content`;
  const query = new URLSearchParams({ filename, subfolder, type });
  return `${base}/view?${query.toString()}`;
}
