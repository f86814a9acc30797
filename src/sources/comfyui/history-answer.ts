import { mediaTypeByExtension } from '../../media/media-type.ts';
import type { AnswerOutput, ProviderAnswer } from '../answers/answer.ts';
import { asArray, asObject, nonBlankText } from '../answers/json-access.ts';
import { comfyui } from '../providers/comfyui.ts';
import { ASSET, type ComfyFile, comfyHistory } from './history.ts';
import { factsOfGraph } from '../answers/embedded-facts.ts';

const NO_OUTPUT = { message: 'The prompt ended without an output that could be kept.' };

/** Reads the outcome of one prompt from ComfyUI's history; undefined while the prompt is running. */
export function comfyAnswer(history: unknown, promptId: string): ProviderAnswer | undefined {
  if (isJob(history, promptId)) return jobAnswer(history, promptId);
  const found = comfyHistory(history, promptId);
  if (!found) return undefined;
  const files = found.files.filter((file) => isMedia(file));
  const none = files.length === 0 ? NO_OUTPUT : undefined;
  const { prompt, model, generation } = factsOfGraph(found.graph);
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
    ignored: found.files
      .filter((file) => !isMedia(file))
      .map(({ node, filename }) => ({
        at: `outputs.${node}`,
        url: filename,
        reason: 'It is no image, audio, video or 3D model.',
      })),
    prompt,
    model,
    generation,
  };
}

/** The job of Comfy API v2, in place of a history. */
function isJob(value: unknown, promptId: string): boolean {
  const { id, status, outputs } = asObject(value);
  return id === promptId && typeof status === 'string' && Array.isArray(outputs);
}

/** Reads a job of Comfy API v2. Its URLs expire within minutes; then this ComfyUI has the asset still. */
function jobAnswer(job: unknown, promptId: string): ProviderAnswer | undefined {
  const answer = comfyui.parse(job);
  if (answer.state === 'queued' || answer.state === 'running') return undefined;
  const assets = new Map(
    asArray(asObject(job)['outputs']).map((entry) => {
      const { url, id, name, node_id: node } = asObject(entry);
      return [nonBlankText(url), { id: nonBlankText(id), name: nonBlankText(name), node: nonBlankText(node) }] as const;
    }),
  );
  const outputs = answer.outputs.map((output): AnswerOutput => {
    const asset = output.from.map((each) => each.type === 'url' && assets.get(each.url)).find((each) => each);
    if (!asset || asset.id === undefined) return output;
    const { id, name = id, node = '' } = asset;
    return {
      ...output,
      from: [...output.from, { type: 'comfyui', filename: name, subfolder: '', fileType: ASSET + id, node }],
    };
  });
  if (outputs.length > 0 || answer.state !== 'succeeded') return { ...answer, id: promptId, outputs };
  return { ...answer, id: promptId, state: 'failed', error: NO_OUTPUT };
}

/** Latents, texts and weights are not media. A file without an extension may be. */
function isMedia({ filename }: ComfyFile): boolean {
  const ext = /\.([^./\\]+)$/.exec(filename)?.[1];
  return ext === undefined || mediaTypeByExtension(ext) !== undefined;
}
