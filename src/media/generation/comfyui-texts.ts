import { asLoose, get, MAX_GRAPH, memberText, parseObject, type Loose } from './loose-json.ts';

export interface ComfyuiTexts {
  /** The graph that was run: node id → class and inputs. */
  prompt: string | undefined;
  /** The editor's format: nodes with positions, and links. */
  workflow: string | undefined;
}

/** EXIF tags into which ComfyUI and its extensions write `prompt:{…}` and `workflow:{…}`. */
const EXIF_TAGS = ['Model', 'Make', 'ImageDescription', 'UserComment', 'Software', 'Artist'];

/**
 * Finds what ComfyUI wrote: in PNG the texts `prompt` and `workflow`; in WebP and JPEG one EXIF tag for each, which begins
 * with the name; in videos, GIFs and models a text that is an object with both.
 */
export function comfyuiTexts(texts: ReadonlyMap<string, string>): ComfyuiTexts {
  const found: ComfyuiTexts = { prompt: object(texts.get('prompt')), workflow: object(texts.get('workflow')) };
  for (const tag of EXIF_TAGS) {
    const text = texts.get(tag);
    const match = text === undefined ? null : /^\s*(prompt|workflow)\s*:\s*(?=\{)/i.exec(text.slice(0, 100));
    if (text === undefined || !match) continue;
    const name = match[1]?.toLowerCase() === 'prompt' ? 'prompt' : 'workflow';
    found[name] ??= text.slice(match[0].length);
  }
  for (const name of ['comment', 'UserComment', 'COM', 'Comment', 'description', 'metadata', 'extras']) {
    if (found.prompt !== undefined || found.workflow !== undefined) break;
    const text = texts.get(name);
    const both: Loose | undefined = parseObject(text, MAX_GRAPH);
    if (text === undefined || !both) continue;
    found.prompt = member(both, text, 'prompt') ?? (isGraph(both) ? text : undefined);
    found.workflow = member(both, text, 'workflow') ?? (isWorkflow(both) ? text : undefined);
  }
  return found;
}

/** Civitai's generator writes the graph itself, without a name: node ids with a class. */
function isGraph(value: Loose): boolean {
  return Object.values(value).some((node) => typeof get(asLoose(node), 'class_type') === 'string');
}

function isWorkflow(value: Loose): boolean {
  return Array.isArray(get(value, 'nodes')) && get(value, 'links') !== undefined;
}

function object(text: string | undefined): string | undefined {
  return text !== undefined && /^\s*\{/.test(text) ? text : undefined;
}

/** A graph inside another object, as an object or as JSON in a string. */
function member(both: Loose, json: string, name: string): string | undefined {
  const value = get(both, name);
  if (typeof value === 'string') return object(value);
  return asLoose(value) && memberText(json, name);
}
