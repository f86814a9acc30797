import { EmbeddedTexts } from '../../media/embedded-texts.ts';
import { readGeneration } from '../../media/generation/read-generation.ts';
import { mediaTypeByExtension } from '../../media/media-type.ts';
import type { JsonObject, ProviderAnswer } from './answer.ts';
import { type ComfyFile, comfyHistory } from './comfyui.ts';

/** Reads what ComfyUI's history says of one prompt; undefined while that has not ended. */
export function comfyAnswer(history: unknown, promptId: string): ProviderAnswer | undefined {
  const found = comfyHistory(history, promptId);
  if (!found) return undefined;
  const files = found.files.filter((file) => isMedia(file));
  const none = files.length === 0 ? { message: 'The prompt ended without an output that could be kept.' } : undefined;
  const { prompt, model, generation } = factsOf(found.graph);
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
    generation,
  };
}

/** Latents, texts and weights are no media; a name without extension may be anything. */
function isMedia({ filename }: ComfyFile): boolean {
  const ext = /\.([^./\\]+)$/.exec(filename)?.[1];
  return ext === undefined || mediaTypeByExtension(ext) !== undefined;
}

/** What the graph tells of how its outputs were made, as a picture tells that carries it. */
function factsOf(graph: JsonObject): { prompt?: string; model?: string; generation: JsonObject } {
  const texts = new EmbeddedTexts();
  try {
    texts.add('prompt', JSON.stringify(graph));
  } catch {
    // Nested deeper than a stack can hold: whoever sent ComfyUI such a graph does without.
  }
  // Whether a file holds a workflow is for the file to say.
  const { prompt, model, size: _size, hasWorkflow: _has, ...generation } = readGeneration(texts) ?? {};
  return {
    ...(prompt !== undefined && { prompt }),
    ...(model !== undefined && { model }),
    generation,
  };
}
