import { mediaTypeByExtension } from '../../media/media-type.ts';
import type { ProviderAnswer } from '../answers/answer.ts';
import { type ComfyFile, comfyHistory } from './history.ts';
import { factsOfGraph } from '../answers/embedded-facts.ts';

/** Reads the outcome of one prompt from ComfyUI's history; undefined while the prompt is running. */
export function comfyAnswer(history: unknown, promptId: string): ProviderAnswer | undefined {
  const found = comfyHistory(history, promptId);
  if (!found) return undefined;
  const files = found.files.filter((file) => isMedia(file));
  const none = files.length === 0 ? { message: 'The prompt ended without an output that could be kept.' } : undefined;
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

/** Latents, texts and weights are not media. A file without an extension may be. */
function isMedia({ filename }: ComfyFile): boolean {
  const ext = /\.([^./\\]+)$/.exec(filename)?.[1];
  return ext === undefined || mediaTypeByExtension(ext) !== undefined;
}
