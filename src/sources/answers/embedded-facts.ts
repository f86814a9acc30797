import type { JsonObject } from '../../json/json.ts';
import { EmbeddedTexts } from '../../media/embedded-texts.ts';
import { readGeneration } from '../../media/generation/read-generation.ts';
import { asObject } from './answer.ts';

/** What a text tells that tools write into their files, when it comes beside a file instead. */
export interface EmbeddedFacts {
  prompt?: string;
  model?: string;
  /** `{width}x{height}`. */
  size?: string;
  generation: JsonObject;
}

/** ComfyUI's graph, node by node, as it was run. */
export function factsOfGraph(graph: unknown): EmbeddedFacts {
  const nodes = asObject(graph);
  if (Object.keys(nodes).length === 0) return { generation: {} };
  try {
    return factsOf('prompt', JSON.stringify(nodes));
  } catch {
    // Nested deeper than a stack can hold: whoever sent such a graph does without.
    return { generation: {} };
  }
}

/** AUTOMATIC1111's prompt, negative prompt and line of settings. */
export function factsOfInfotext(text: string | undefined): EmbeddedFacts {
  return text === undefined ? { generation: {} } : factsOf('parameters', text);
}

function factsOf(keyword: string, text: string): EmbeddedFacts {
  const texts = new EmbeddedTexts();
  texts.add(keyword, text);
  // Whether a file holds a workflow is for the file to say.
  const { prompt, model, size, hasWorkflow: _has, ...generation } = readGeneration(texts) ?? {};
  return {
    ...(prompt !== undefined && { prompt }),
    ...(model !== undefined && { model }),
    ...(size !== undefined && { size }),
    generation,
  };
}
