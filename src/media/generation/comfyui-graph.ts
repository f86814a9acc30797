import { chosenInput } from './comfyui-switch.ts';
import { asLoose, asText, get, type Loose } from './loose-json.ts';

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
/** Switches behind one another. */
const MAX_SWITCHES = 50;

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
    return source && this.#chosen({ node: source, output: typeof value[1] === 'number' ? value[1] : 0 });
  }

  /** Behind switches: the side that was used. */
  #chosen(link: Link): Link | undefined {
    let at = link;
    for (let passed = 0; passed < MAX_SWITCHES; passed += 1) {
      const input = chosenInput((id) => this.#byId.get(id), at.node);
      if (input === undefined) return at;
      const value = get(at.node.inputs, input);
      // The side holds a value of its own.
      if (!Array.isArray(value)) return at;
      const next = this.#byId.get(asText(value[0]) ?? '');
      if (!next) return undefined;
      at = { node: next, output: typeof value[1] === 'number' ? value[1] : 0 };
    }
    return at;
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
