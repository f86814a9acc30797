import { asList, asLoose, asText, get, type Loose } from './loose-json.ts';

/** A node of a graph that was run. An input is a value or a link `[node id, output]`. */
export interface GraphNode {
  id: string;
  type: string;
  inputs: Loose;
}

export interface Link {
  node: GraphNode;
  /** Index of the output of that node. */
  output: number;
}

/** Most nodes and steps followed in one file. Real graphs have a few hundred. */
const MAX_NODES = 5000;
const MAX_INPUTS = 100;
const MAX_STEPS = 20_000;

/** An untrusted graph: its links may be broken or circular. Every walk counts its steps, so it ends. */
export class Graph {
  readonly nodes: readonly GraphNode[];
  readonly #byId: ReadonlyMap<string, GraphNode>;
  #steps = 0;

  constructor(graph: Loose) {
    this.nodes = Object.entries(graph)
      .slice(0, MAX_NODES)
      .flatMap(([id, value]) => {
        const type = get(asLoose(value), 'class_type');
        const inputs = asLoose(get(asLoose(value), 'inputs'));
        if (typeof type !== 'string' || !inputs) return [];
        return [{ id, type, inputs: Object.fromEntries(Object.entries(inputs).slice(0, MAX_INPUTS)) }];
      });
    this.#byId = new Map(this.nodes.map((node) => [node.id, node]));
  }

  /** The node and output that an input links to; undefined when it is a value, or the node is missing. */
  link(node: GraphNode, input: string): Link | undefined {
    const value = get(node.inputs, input);
    if (!Array.isArray(value) || value.length !== 2) return undefined;
    const source = this.#byId.get(asText(value[0]) ?? '');
    return source && { node: source, output: typeof value[1] === 'number' ? value[1] : 0 };
  }

  links(node: GraphNode): (Link & { input: string })[] {
    return Object.keys(node.inputs).flatMap((input) => {
      const link = this.link(node, input);
      return link ? [{ ...link, input }] : [];
    });
  }

  /** Returns false when the walk must end: the node is in `seen`, or the step limit is reached. */
  enter(seen: Set<string>, key: string): boolean {
    if (seen.has(key) || ++this.#steps > MAX_STEPS) return false;
    seen.add(key);
    return true;
  }

  /** Nodes without consumers: those that save or show the result. */
  ends(): GraphNode[] {
    const used = new Set(this.nodes.flatMap((node) => this.links(node).map((link) => link.node.id)));
    return this.nodes.filter((node) => !used.has(node.id));
  }

  /** Yields every node that `from` depends on, nearest first. */
  *upstream(from: readonly GraphNode[]): Generator<GraphNode> {
    const seen = new Set<string>();
    const queue = from.filter((node) => this.enter(seen, node.id));
    for (const node of queue) {
      yield node;
      for (const link of this.links(node)) if (this.enter(seen, link.node.id)) queue.push(link.node);
    }
  }

  /** The value of an input, followed through nodes that only hold or forward a value. */
  value(node: GraphNode | undefined, ...names: string[]): unknown {
    const seen = new Set<string>();
    for (let at = node, wanted = names; at;) {
      const name = wanted.find((each) => get(at?.inputs, each) !== undefined);
      if (name === undefined || !this.enter(seen, at.id)) return undefined;
      const link = this.link(at, name);
      if (!link) {
        const value = get(at.inputs, name);
        return Array.isArray(value) ? undefined : value;
      }
      at = link.node;
      wanted = [...names, 'value', 'int', 'float', 'number', 'Value', 'Number', 'any', 'anything', ''];
    }
    return undefined;
  }
}

/** Builds the graph from the editor's format, whose values have no names: only those of known nodes get names. */
export function graphOfWorkflow(workflow: Loose): Loose {
  const sources = new Map<string, [string, number]>();
  for (const entry of asList(get(workflow, 'links')).slice(0, MAX_STEPS)) {
    const [id, from, output] = asList(entry);
    sources.set(String(id), [String(from), typeof output === 'number' ? output : 0]);
  }
  const nodes = new Map<string, Loose>();
  for (const entry of asList(get(workflow, 'nodes')).slice(0, MAX_NODES)) {
    const node = asLoose(entry);
    const type = get(node, 'type');
    // Modes 2 and 4: muted, and bypassed.
    if (typeof type !== 'string' || get(node, 'mode') === 2 || get(node, 'mode') === 4) continue;
    const inputs = new Map<string, unknown>();
    const names = WIDGETS[type] ?? [];
    for (const [index, value] of asList(get(node, 'widgets_values')).entries()) {
      const name = names[index];
      if (name !== undefined) inputs.set(name, value);
    }
    for (const input of asList(get(node, 'inputs')).slice(0, 100)) {
      const name = get(asLoose(input), 'name');
      const source = sources.get(String(get(asLoose(input), 'link')));
      if (typeof name === 'string' && source) inputs.set(name, source);
    }
    nodes.set(String(get(node, 'id')), { class_type: type, inputs: Object.fromEntries(inputs) });
  }
  return Object.fromEntries(nodes);
}

/** Names of the values of core nodes, in the order of the editor's format. */
const WIDGETS: Readonly<Record<string, readonly string[]>> = {
  KSampler: ['seed', 'control_after_generate', 'steps', 'cfg', 'sampler_name', 'scheduler', 'denoise'],
  KSamplerAdvanced: ['add_noise', 'noise_seed', 'control_after_generate', 'steps', 'cfg', 'sampler_name', 'scheduler'],
  CLIPTextEncode: ['text'],
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
};
