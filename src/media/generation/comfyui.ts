import { readAutomatic1111 } from './automatic1111.ts';
import { Graph, type GraphNode } from './comfyui-graph.ts';
import { lorasOf } from './comfyui-loras.ts';
import { graphOfWorkflow } from './comfyui-workflow.ts';
import { comfyuiTexts } from './comfyui-texts.ts';
import type { DialectReader, FoundTexts } from './generation-data.ts';
import { asLoose, get, MAX_GRAPH, parseObject } from './loose-json.ts';

/** Reads ComfyUI's graph: from the sampler's inputs to seed, texts and model. */
export const readComfyui: DialectReader = (texts) => {
  const { prompt, workflow } = comfyuiTexts(texts);
  const graph = parseObject(prompt, MAX_GRAPH);
  const editor = graph ? undefined : parseObject(workflow, MAX_GRAPH);
  if (!graph && !editor) return undefined;
  const nodes = new Graph(graph ?? graphOfWorkflow(editor ?? {}));
  // Other tools also write a text `prompt`, which is not a graph.
  if (nodes.nodes.length === 0 && workflow === undefined) return undefined;
  // Extensions that save for model sites add an AUTOMATIC1111 infotext; the graph takes precedence.
  const added = readAutomatic1111(texts);
  const read = readGraph(nodes);
  const known = Object.fromEntries(Object.entries(read).filter(([, value]) => value !== undefined && value !== ''));
  return { ...added, ...known, source: 'comfyui', hasWorkflow: true };
};

function readGraph(graph: Graph): FoundTexts {
  const sampler = findSampler(graph);
  if (!sampler) return readWithoutSampler(graph);
  const latent = graph.link(sampler, 'latent_image')?.node ?? graph.link(sampler, 'latent')?.node;
  const noise = graph.link(sampler, 'noise')?.node ?? sampler;
  const guider = graph.link(sampler, 'guider')?.node ?? sampler;
  const chosen = graph.link(sampler, 'sampler')?.node ?? sampler;
  const sigmas = graph.link(sampler, 'sigmas')?.node ?? sampler;
  // WanVideo's samplers take both texts through one input.
  const encoder = graph.link(sampler, 'text_embeds')?.node ?? guider;
  const positive =
    promptText(graph, encoder, 'positive') ??
    promptText(graph, encoder, 'conditioning') ??
    promptText(graph, encoder, 'positive_prompt');
  const models = modelChain(graph, get(guider.inputs, 'model') === undefined ? sampler : guider);
  const sized = latent && [...graph.upstream([latent])].find((node) => graph.value(node, ...WIDTHS) !== undefined);
  const loader = models.find((node) => modelName(graph, node) !== undefined);
  return {
    source: 'comfyui',
    prompt: positive,
    negativePrompt: promptText(graph, encoder, 'negative') ?? promptText(graph, encoder, 'negative_prompt'),
    seed: graph.value(noise, 'noise_seed', 'seed'),
    steps: graph.value(sigmas, 'steps'),
    sampler: graph.value(chosen, 'sampler_name', 'sampler'),
    scheduler: graph.value(sigmas, 'scheduler'),
    cfgScale: graph.value(guider, 'cfg', 'cfg_scale') ?? guidance(graph, guider),
    denoise: graph.value(sigmas, 'denoise'),
    model: loader && modelName(graph, loader),
    vae: vaeName(graph),
    width: sized && graph.value(sized, ...WIDTHS),
    height: sized && graph.value(sized, 'height', 'empty_latent_height'),
    clipSkip: clipSkip(graph, encoder),
    loras: models.flatMap((node) => lorasOf(graph, node)),
  };
}

/**
 * The sampler of the picture. Of several, the one nearest to the output that does more than refine: its `denoise` is not below 1,
 * and it adds the noise. Else the nearest.
 */
function findSampler(graph: Graph): GraphNode | undefined {
  let nearest: GraphNode | undefined;
  for (const node of graph.upstream(graph.ends())) {
    if (!isSampler(graph, node)) continue;
    nearest ??= node;
    const addsNoise = graph.value(node, 'add_noise');
    if (addsNoise === 'disable' || addsNoise === false) continue;
    const denoise = graph.value(graph.link(node, 'sigmas')?.node ?? node, 'denoise');
    if (typeof denoise !== 'number' || denoise >= 1) return node;
  }
  return nearest;
}

function isSampler(graph: Graph, { inputs, ...node }: GraphNode): boolean {
  const has = (...names: string[]) => names.some((name) => get(inputs, name) !== undefined);
  if (has('seed', 'noise_seed') && has('positive', 'sampler_name', 'steps')) return true;
  return (
    /sampler/i.test(node.type) && (has('guider') || (has('positive') && graph.links({ ...node, inputs }).length > 1))
  );
}

/** Finds an all-in-one node of a service or extension, which has both a text and a seed. */
function readWithoutSampler(graph: Graph): FoundTexts {
  const encoders = graph.nodes.filter((node) => node.type.startsWith('CLIPTextEncode'));
  const seeded = graph.nodes.find((node) => graph.value(node, 'seed', 'noise_seed') !== undefined);
  const own = graph.nodes.find((node) => typeof graph.value(node, 'prompt') === 'string');
  const [encoder] = encoders;
  return {
    source: 'comfyui',
    prompt: own
      ? graph.value(own, 'prompt')
      : encoders.length === 1 && encoder
        ? texts(graph, encoder, '')[0]
        : undefined,
    negativePrompt: graph.value(own, 'negative_prompt'),
    seed: graph.value(seeded, 'seed', 'noise_seed'),
    steps: graph.value(seeded, 'steps'),
    model: graph.nodes.map((node) => modelName(graph, node)).find((name) => name !== undefined),
    width: graph.value(own ?? seeded, 'width'),
    height: graph.value(own ?? seeded, 'height'),
  };
}

const WIDTHS = ['width', 'empty_latent_width'];

/** How many of the text encoder's last layers are left out: `stop_at_clip_layer: -2` is what others call clip skip 2. */
function clipSkip(graph: Graph, from: GraphNode): number | undefined {
  const start = ['positive', 'conditioning', 'clip'].map((name) => graph.link(from, name)?.node).find((node) => node);
  if (!start) return undefined;
  for (const node of graph.upstream([start])) {
    const layer = graph.value(node, 'stop_at_clip_layer', 'clip_skip');
    if (typeof layer === 'number' && layer !== 0) return Math.abs(layer);
  }
  return undefined;
}

/** Inputs through which text reaches an encoder, or is forwarded by text nodes. */
const TEXT_INPUTS = ['text', 'text_g', 'text_l', 't5xxl', 'clip_l', 'clip_g', 'prompt', 'string', 'value', 'Text']
  .concat([
    'String',
    'text_1',
    'text_2',
    'text_a',
    'text_b',
    'string_a',
    'string_b',
    'string1',
    'string2',
    'wildcard_text',
  ])
  .concat(['tags', 'lyrics', 'text_positive', 'populated_text', 'text1', 'text2', 'text_0', 'prompt_1', 'prompt_2']);
/** Inputs that never lead to text of the prompt. */
const OTHER_INPUTS = /^(clip|model|vae|image|images|pixels|mask|samples|latent|control_net|style_model|clip_vision)/;

function promptText(graph: Graph, from: GraphNode, role: string): string | undefined {
  const value = get(from.inputs, role);
  if (typeof value === 'string') return value;
  const link = graph.link(from, role);
  if (!link) return undefined;
  const found = conditioning(graph, link, role);
  return [...new Set(found)].join('\n').slice(0, 100_000) || undefined;
}

type Place = { node: GraphNode; output: number };

/** The texts of a conditioning, followed through nodes that combine, weigh or reroute it. */
function conditioning(graph: Graph, start: Place, role: string): string[] {
  const found: string[] = [];
  const places: Place[] = [];
  const seen = new Set<string>();
  const visit = (place: Place | undefined) => {
    if (place && graph.enter(seen, `${place.node.id} ${place.output}`)) places.push(place);
  };
  visit(start);
  // The stack is last in, first out; pushing in reverse keeps the order of the inputs.
  for (let place = places.pop(); place; place = places.pop()) {
    const { node } = place;
    if (node.type === 'ConditioningZeroOut') continue;
    // A node with both inputs, such as one that applies a ControlNet, has both outputs; follow the wanted one.
    if (get(node.inputs, 'positive') !== undefined && get(node.inputs, 'negative') !== undefined) {
      const wanted = role === 'negative' ? 'negative' : 'positive';
      const text = get(node.inputs, wanted);
      if (typeof text === 'string') found.push(text);
      visit(graph.link(node, wanted));
      continue;
    }
    const own = texts(graph, node, role);
    if (own.length > 0) found.push(...own);
    else for (const link of graph.links(node).toReversed()) if (!OTHER_INPUTS.test(link.input)) visit(link);
  }
  return found;
}

/** The texts in a node, or in the text nodes that it links to. */
function texts(graph: Graph, start: GraphNode, role: string): string[] {
  const found: string[] = [];
  const seen = new Set<string>();
  const nodes = graph.enter(seen, start.id) ? [start] : [];
  for (const node of nodes) {
    const hasPopulated = typeof get(node.inputs, 'populated_text') === 'string';
    for (const name of role === '' ? TEXT_INPUTS : [...TEXT_INPUTS, role]) {
      // The text with its choices made is the prompt; its template is not.
      if (hasPopulated && name === 'wildcard_text') continue;
      const value = get(node.inputs, name);
      const link = graph.link(node, name);
      if (typeof value === 'string' && value.trim() !== '') found.push(value.trim());
      else if (link && graph.enter(seen, link.node.id)) nodes.push(link.node);
    }
  }
  return [...new Set(found)];
}

/** The guidance of a distilled model, from a node between the sampler and the text. */
function guidance(graph: Graph, guider: GraphNode): unknown {
  const start = graph.link(guider, 'positive')?.node ?? graph.link(guider, 'conditioning')?.node;
  if (!start) return undefined;
  for (const node of graph.upstream([start])) {
    const value = graph.value(node, 'guidance');
    if (value !== undefined) return value;
  }
  return undefined;
}

/** The nodes that a model passes through: modifiers first, the loader last. */
function modelChain(graph: Graph, from: GraphNode): GraphNode[] {
  const chain: GraphNode[] = [];
  const seen = new Set<string>();
  const next = (node: GraphNode) =>
    ['model', 'model1', 'model_opt', 'base_model', 'pipe', 'basic_pipe', 'MODEL', 'unet', 'any', '']
      .map((name) => graph.link(node, name)?.node)
      .find((found) => found !== undefined);
  for (let node = next(from); node && graph.enter(seen, node.id); node = next(node)) chain.push(node);
  // All-in-one loaders link directly to the sampler, under other input names.
  return chain.length > 0 ? chain : graph.links(from).map((link) => link.node);
}

function modelName(graph: Graph, node: GraphNode): string | undefined {
  if (/(lora|vae|clip|controlnet|upscale)/i.test(node.type) && !/checkpoint/i.test(node.type)) return undefined;
  const names = ['ckpt_name', 'unet_name', 'base_ckpt_name', 'model_name', 'diffusion_name', 'gguf_name', 'model_path'];
  // Loaders of WanVideo and others name it `model`; elsewhere that is a link.
  const own = /loader/i.test(node.type) ? get(node.inputs, 'model') : undefined;
  const value = graph.value(node, ...names) ?? (typeof own === 'string' ? own : undefined);
  // Some loaders store a menu entry as an object.
  const name = get(asLoose(value), 'content') ?? value;
  return typeof name === 'string' && name !== '' ? name : undefined;
}

function vaeName(graph: Graph): unknown {
  const loader = graph.nodes.find((node) => /VAELoader/i.test(node.type));
  return graph.value(loader, 'vae_name');
}
