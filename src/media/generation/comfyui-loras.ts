import type { Graph, GraphNode } from './comfyui-graph.ts';
import { asList, asLoose, asText, get } from './loose-json.ts';

type Lora = { name: unknown; weight?: unknown };

const MAX_STACKS = 20;
const WEIGHTS = [
  'model_weight',
  'lora_wt',
  'model_str',
  'strength_model',
  'lora_strength',
  'strength',
  'lora_weight',
  'weight',
];
const isName = (value: unknown): value is string => typeof value === 'string' && value !== '' && value !== 'None';

/** The LoRAs that a node applies: one, several with numbers, a list, or a stack that another node holds. */
export function lorasOf(graph: Graph, node: GraphNode, depth = 0): Lora[] {
  const stack = depth < MAX_STACKS ? graph.link(node, 'lora_stack')?.node : undefined;
  return [...ownLoras(graph, node), ...(stack ? lorasOf(graph, stack, depth + 1) : [])];
}

function ownLoras(graph: Graph, node: GraphNode): Lora[] {
  const name = graph.value(node, 'lora_name');
  if (isName(name)) return [{ name, weight: graph.value(node, 'strength_model', 'lora_model_strength', 'strength') }];
  const found = [...numbered(node), ...listed(node)];
  if (found.length > 0) return found;
  // Loaders of several LoRAs store each as an object: { on, lora, strength }.
  return Object.values(node.inputs).flatMap((value) => {
    const entry = asLoose(value);
    const lora = get(entry, 'lora');
    return isName(lora) && get(entry, 'on') !== false ? [{ name: lora, weight: get(entry, 'strength') }] : [];
  });
}

/** `lora_name_1`, `model_weight_1`, `switch_1`; `lora_count` says how many of them count. */
function numbered({ inputs }: GraphNode): Lora[] {
  const count = get(inputs, 'lora_count') ?? get(inputs, 'num_loras');
  return Object.keys(inputs).flatMap((key) => {
    const number = /^lora(?:_name)?_?(\d{1,2})(?:_name)?$/.exec(key)?.[1];
    const name = get(inputs, key);
    if (number === undefined || !isName(name)) return [];
    const ofNumber = (names: readonly string[]) =>
      names
        .flatMap((each) => [`${each}_${number}`, `${each}${number}`, `lora_${number}_${each}`])
        .map((each) => get(inputs, each))
        .find((value) => value !== undefined);
    const isOff =
      /^(off|false|no)$/i.test(asText(ofNumber(['switch', 'enabled', 'on'])) ?? '') ||
      ofNumber(['switch', 'enabled', 'on']) === false;
    if (isOff || (typeof count === 'number' && Number(number) > count)) return [];
    return [{ name, weight: ofNumber(WEIGHTS) }];
  });
}

/** `loras: [{ name, strength, active }]`, as LoRA managers keep them, also below `__value__`. */
function listed({ inputs }: GraphNode): Lora[] {
  const loras = get(inputs, 'loras') ?? get(inputs, 'lora_list');
  const entries = asList(get(asLoose(loras), '__value__') ?? loras);
  return entries.slice(0, 100).flatMap((value) => {
    const entry = asLoose(value);
    const name = get(entry, 'name') ?? get(entry, 'lora');
    const isActive = get(entry, 'active') !== false && get(entry, 'on') !== false;
    return isName(name) && isActive ? [{ name, weight: get(entry, 'strength') ?? get(entry, 'weight') }] : [];
  });
}
