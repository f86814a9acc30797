import { type Loose, asList, asLoose, asText, get } from './loose-json.ts';

const MAX_NODES = 5000;
const MAX_LINKS = 20_000;
/** Subgraphs inside of subgraphs. */
const MAX_DEPTH = 8;
const MAX_USES = 200;
/** Ids under which the inputs and outputs of a subgraph stand in its own links. */
const INPUTS = '-10';
const OUTPUTS = '-20';

type Source = [id: string, output: number];

/**
 * Builds the graph from the editor's format, whose values have no names: only those of known nodes get names. The nodes of subgraphs
 * stand beside the others, with the id of the node that stands for the subgraph before their own.
 */
export function graphOfWorkflow(workflow: Loose): Loose {
  const subgraphs = new Map(
    asList(get(asLoose(get(workflow, 'definitions')), 'subgraphs'))
      .slice(0, 200)
      .map((entry) => [asText(get(asLoose(entry), 'id')) ?? '', asLoose(entry) ?? {}] as const),
  );
  const nodes = new Map<string, Loose>();
  addNodes(workflow, { subgraphs, nodes, left: { uses: MAX_USES }, prefix: '', outer: [], depth: 0 });
  return Object.fromEntries(nodes);
}

interface Level {
  subgraphs: ReadonlyMap<string, Loose>;
  /** All nodes so far. */
  nodes: Map<string, Loose>;
  /** How often a subgraph may still be used: subgraphs of subgraphs multiply. */
  left: { uses: number };
  prefix: string;
  /** What the subgraph's inputs are connected to. */
  outer: readonly (Source | undefined)[];
  depth: number;
}

/** Adds the nodes of a workflow or subgraph. Returns what its outputs are connected to. */
function addNodes(level: Loose, at: Level): (Source | undefined)[] {
  const links = linksOf(level);
  const entries = asList(get(level, 'nodes'))
    .slice(0, MAX_NODES)
    .map((entry) => asLoose(entry) ?? {});
  /** What stands behind the outputs of nodes that are subgraphs. */
  const inner = new Map<string, readonly (Source | undefined)[]>();
  const sourceOf = (link: unknown): Source | undefined => {
    const found = links.get(String(link));
    if (!found) return undefined;
    const [from, output] = found;
    if (from === INPUTS) return at.outer[output];
    return inner.has(from) ? inner.get(from)?.[output] : [at.prefix + from, output];
  };
  // Subgraphs first: other nodes are connected to what is in them.
  for (const subgraphsTurn of [true, false])
    for (const node of entries) {
      const type = asText(get(node, 'type'));
      // Modes 2 and 4: muted, and bypassed.
      if (type === undefined || get(node, 'mode') === 2 || get(node, 'mode') === 4) continue;
      const definition = at.subgraphs.get(type);
      if ((definition !== undefined) !== subgraphsTurn || at.nodes.size >= MAX_NODES) continue;
      const id = String(get(node, 'id'));
      const inputs = asList(get(node, 'inputs'))
        .slice(0, 100)
        .map((input) => asLoose(input));
      if (definition) {
        if (at.depth >= MAX_DEPTH || at.left.uses <= 0) continue;
        at.left.uses -= 1;
        const outer = inputs.map((input) => sourceOf(get(input, 'link')));
        inner.set(id, addNodes(definition, { ...at, prefix: `${at.prefix}${id}:`, outer, depth: at.depth + 1 }));
        continue;
      }
      const named = new Map<string, unknown>(namedValues(type, node));
      for (const input of inputs) {
        const name = asText(get(input, 'name'));
        const source = sourceOf(get(input, 'link'));
        if (name !== undefined && source) named.set(name, source);
      }
      at.nodes.set(at.prefix + id, { class_type: type, inputs: Object.fromEntries(named) });
    }
  const outputs: (Source | undefined)[] = [];
  for (const [from, output, to, slot] of links.values())
    if (to === OUTPUTS && slot < 100)
      outputs[slot] = inner.has(from) ? inner.get(from)?.[output] : [at.prefix + from, output];
  return outputs;
}

/** Links by their id: a list `[id, from, output, to, input, type]`, or an object in subgraphs. */
function linksOf(level: Loose): Map<string, readonly [from: string, output: number, to: string, slot: number]> {
  const links = new Map<string, readonly [string, number, string, number]>();
  const number = (value: unknown) => (typeof value === 'number' ? value : 0);
  for (const entry of asList(get(level, 'links')).slice(0, MAX_LINKS)) {
    if (Array.isArray(entry)) {
      const [id, from, output, to, slot] = entry as unknown[];
      links.set(String(id), [String(from), number(output), String(to), number(slot)]);
      continue;
    }
    const link = asLoose(entry);
    links.set(String(get(link, 'id')), [
      String(get(link, 'origin_id')),
      number(get(link, 'origin_slot')),
      String(get(link, 'target_id')),
      number(get(link, 'target_slot')),
    ]);
  }
  return links;
}

function namedValues(type: string, node: Loose): [string, unknown][] {
  const values = get(node, 'widgets_values');
  // Some extensions store their values by name.
  if (!Array.isArray(values)) return Object.entries(asLoose(values) ?? {}).slice(0, 100);
  const names = WIDGETS[type] ?? [];
  return (values as unknown[]).slice(0, 100).flatMap((value, index): [string, unknown][] => {
    const name = names[index];
    return name === undefined ? [] : [[name, value]];
  });
}

/** Names of the values of core nodes, in the order of the editor's format. */
const WIDGETS: Readonly<Record<string, readonly string[]>> = {
  KSampler: ['seed', 'control_after_generate', 'steps', 'cfg', 'sampler_name', 'scheduler', 'denoise'],
  KSamplerAdvanced: ['add_noise', 'noise_seed', 'control_after_generate', 'steps', 'cfg', 'sampler_name', 'scheduler'],
  CLIPTextEncode: ['text'],
  CLIPSetLastLayer: ['stop_at_clip_layer'],
  CheckpointLoaderSimple: ['ckpt_name'],
  UNETLoader: ['unet_name'],
  VAELoader: ['vae_name'],
  LoraLoader: ['lora_name', 'strength_model', 'strength_clip'],
  LoraLoaderModelOnly: ['lora_name', 'strength_model'],
  EmptyLatentImage: ['width', 'height'],
  EmptySD3LatentImage: ['width', 'height'],
  RandomNoise: ['noise_seed'],
  KSamplerSelect: ['sampler_name'],
  BasicScheduler: ['scheduler', 'steps', 'denoise'],
  CFGGuider: ['cfg'],
  FluxGuidance: ['guidance'],
  PrimitiveString: ['value'],
  PrimitiveStringMultiline: ['value'],
  PrimitiveBoolean: ['value'],
  PrimitiveInt: ['value'],
  PrimitiveFloat: ['value'],
};
