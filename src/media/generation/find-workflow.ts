import { comfyuiTexts } from './comfyui-texts.ts';
import { asLoose, get, repairJson } from './loose-json.ts';

export interface Workflow {
  /** `editor`: nodes with their places, what the ComfyUI editor keeps; `api`: the graph as it was run, which it loads, too. */
  format: 'editor' | 'api';
  /** Valid JSON, its numbers digit by digit as in the file. */
  json: string;
}

/** The workflow among the texts of a file: the editor's if there is one, else the graph. */
export function findWorkflow(texts: ReadonlyMap<string, string>): Workflow | undefined {
  const { workflow, prompt } = comfyuiTexts(texts);
  return toWorkflow(workflow) ?? toWorkflow(prompt);
}

/** The same of a text or an object; undefined when it is no workflow. */
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
