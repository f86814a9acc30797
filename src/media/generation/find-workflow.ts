import { comfyuiTexts } from './comfyui-texts.ts';
import { repairJson } from '../../json/repair-json.ts';
import { asLoose, get } from './loose-json.ts';

export interface Workflow {
  /** `editor`: the ComfyUI editor's format, with node positions; `api`: the graph that was run, which the editor loads too. */
  format: 'editor' | 'api';
  /** Valid JSON, with the digits of its numbers unchanged. */
  json: string;
}

/** Finds the workflow among the texts of a file: in the editor's format if it is there, else the graph. */
export function findWorkflow(texts: ReadonlyMap<string, string>): Workflow | undefined {
  const { workflow, prompt } = comfyuiTexts(texts);
  return toWorkflow(workflow) ?? toWorkflow(prompt);
}

/** Reads a workflow from a string or an object; undefined when it is none. */
export function toWorkflow(value: unknown): Workflow | undefined {
  if (value === undefined || value === null) return undefined;
  const json = typeof value === 'string' ? repairJson(value, { quoteIntegers: false }) : JSON.stringify(value);
  const format = formatOf(json);
  return format && { format, json };
}

function formatOf(json: string): Workflow['format'] | undefined {
  try {
    const parsed = asLoose(JSON.parse(json));
    if (!parsed) return undefined;
    if (Array.isArray(get(parsed, 'nodes'))) return 'editor';
    return Object.values(parsed).some((node) => typeof get(asLoose(node), 'class_type') === 'string')
      ? 'api'
      : undefined;
  } catch {
    return undefined;
  }
}
