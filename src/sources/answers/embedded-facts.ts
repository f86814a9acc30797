import { asObject } from './json-access.ts';
import type { JsonObject } from '../../json/json.ts';
import { EmbeddedTexts } from '../../media/embedded-texts.ts';
import { readGeneration } from '../../media/generation/read-generation.ts';

/** Facts from text that generators usually embed in their files, here sent beside a file. */
export interface EmbeddedFacts {
  prompt?: string;
  model?: string;
  /** `{width}x{height}`. */
  size?: string;
  generation: JsonObject;
}

/** Reads the graph that ComfyUI ran. */
export function factsOfGraph(graph: unknown): EmbeddedFacts {
  const nodes = asObject(graph);
  if (Object.keys(nodes).length === 0) return { generation: {} };
  try {
    return factsOf('prompt', JSON.stringify(nodes));
  } catch {
    // Nested too deeply for JSON.stringify. Such a graph gives no facts.
    return { generation: {} };
  }
}

/** Reads AUTOMATIC1111's infotext: prompt, negative prompt and a line of settings. */
export function factsOfInfotext(text: string | undefined): EmbeddedFacts {
  return text === undefined ? { generation: {} } : factsOf('parameters', text);
}

function factsOf(keyword: string, text: string): EmbeddedFacts {
  const texts = new EmbeddedTexts();
  texts.add(keyword, text);
  // `hasWorkflow` is about a file, and this text is not from one.
  const { prompt, model, size, hasWorkflow: _has, ...generation } = readGeneration(texts) ?? {};
  return {
    ...(prompt !== undefined && { prompt }),
    ...(model !== undefined && { model }),
    ...(size !== undefined && { size }),
    generation,
  };
}
