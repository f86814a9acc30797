import { mediaTypeByExtension } from '../../media/media-type.ts';
import {
  type Json,
  type JsonObject,
  type ProviderAnswer,
  asArray,
  asNumber,
  asObject,
  asText,
  present,
} from './answer.ts';
import { type ComfyFile, comfyHistory } from './comfyui.ts';

/** Reads what ComfyUI's history says of one prompt; undefined while that has not ended. */
export function comfyAnswer(history: unknown, promptId: string): ProviderAnswer | undefined {
  const found = comfyHistory(history, promptId);
  if (!found) return undefined;
  const files = found.files.filter((file) => isMedia(file));
  const none = files.length === 0 ? { message: 'The prompt ended without an output that could be kept.' } : undefined;
  const { prompt, model, ...generation } = factsOf(found.graph);
  return {
    id: promptId,
    state: found.state === 'failed' || none ? 'failed' : 'succeeded',
    error: found.error ?? none,
    partial: found.state === 'failed' && files.length > 0,
    outputs: files.map((file) => ({
      from: [
        { type: 'comfyui', filename: file.filename, subfolder: file.subfolder, fileType: file.type, node: file.node },
      ],
      filename: file.filename.split(/[/\\]/).at(-1),
      generation: { node: file.node },
    })),
    prompt,
    model,
    generation: present(generation),
  };
}

/** Latents, texts and weights are no media; a name without extension may be anything. */
function isMedia({ filename }: ComfyFile): boolean {
  const ext = /\.([^./\\]+)$/.exec(filename)?.[1];
  return ext === undefined || mediaTypeByExtension(ext) !== undefined;
}

/** What a graph tells of how its outputs were made, from its first sampler. */
function factsOf(graph: JsonObject): JsonObject & { prompt?: string; model?: string } {
  const nodes = Object.values(graph).map((node) => asObject(node));
  const inputsOf = (node: JsonObject) => asObject(node['inputs']);
  const first = (...names: string[]): Json | undefined =>
    nodes.flatMap((node) => names.flatMap((name) => inputsOf(node)[name] ?? [])).find((value) => !Array.isArray(value));
  const sampler = nodes.find((node) => 'positive' in inputsOf(node));
  const prompt = sampler && textBehind(graph, inputsOf(sampler)['positive']);
  const negative = sampler && textBehind(graph, inputsOf(sampler)['negative']);
  const model = asText(first('ckpt_name', 'unet_name', 'model_name'));
  return {
    ...present({
      seed: asText(first('seed', 'noise_seed')),
      steps: asNumber(first('steps')),
      cfg: asNumber(first('cfg')),
      sampler: asText(first('sampler_name')),
      scheduler: asText(first('scheduler')),
      negativePrompt: negative,
    }),
    ...(prompt !== undefined && { prompt }),
    ...(model !== undefined && { model }),
  };
}

/** Follows links from an input to the node that holds a text. A graph may be a circle. */
function textBehind(graph: JsonObject, link: Json | undefined): string | undefined {
  const seen = new Set<string>();
  const left = [link];
  while (left.length > 0 && seen.size < 100) {
    const id = asText(asArray(left.pop())[0]);
    if (id === undefined || seen.has(id)) continue;
    seen.add(id);
    const inputs = asObject(asObject(graph[id])['inputs']);
    const text = [inputs['text'], inputs['text_g'], inputs['clip_l'], inputs['prompt'], inputs['value']].find(
      (value) => typeof value === 'string' && value.trim() !== '',
    );
    if (typeof text === 'string') return text;
    left.push(...Object.values(inputs).filter((value) => Array.isArray(value)));
  }
  return undefined;
}
