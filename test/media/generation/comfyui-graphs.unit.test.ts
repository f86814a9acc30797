import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EmbeddedTexts } from '../../../src/media/embedded-texts.ts';
import { readGeneration } from '../../../src/media/generation/read-generation.ts';

type Node = { class_type: string; inputs: Record<string, unknown> };
const node = (type: string, inputs: Record<string, unknown>): Node => ({ class_type: type, inputs });

/** A graph that makes a picture of a red fox; `more` replaces and adds nodes. */
const graphWith = (more: Record<string, Node>): Record<string, Node> => ({
  4: node('CheckpointLoaderSimple', { ckpt_name: 'base.safetensors' }),
  5: node('EmptyLatentImage', { width: 832, height: 1216 }),
  6: node('CLIPTextEncode', { text: 'a red fox', clip: ['4', 1] }),
  7: node('CLIPTextEncode', { text: 'blurry', clip: ['4', 1] }),
  3: sampler({}),
  9: node('SaveImage', { images: ['3', 0] }),
  ...more,
});
const sampler = (inputs: Record<string, unknown>) =>
  node('KSampler', {
    seed: 777,
    steps: 20,
    cfg: 7,
    sampler_name: 'euler',
    scheduler: 'normal',
    denoise: 1,
    model: ['4', 0],
    positive: ['6', 0],
    negative: ['7', 0],
    latent_image: ['5', 0],
    ...inputs,
  });

function read(graph: object, name = 'prompt') {
  const texts = new EmbeddedTexts();
  texts.add(name, JSON.stringify(graph));
  return readGeneration(texts);
}

const otherModel = node('CheckpointLoaderSimple', { ckpt_name: 'other.safetensors' });
const lora = node('LoraLoaderModelOnly', { lora_name: 'sw.safetensors', strength_model: 0.5, model: ['4', 0] });

test.each([
  [
    'a switch that is off',
    { 22: node('ComfySwitchNode', { switch: false, on_false: ['4', 0], on_true: ['24', 0] }) },
    [],
  ],
  [
    'a switch that is on',
    { 22: node('ComfySwitchNode', { switch: true, on_false: ['4', 0], on_true: ['24', 0] }) },
    ['sw.safetensors'],
  ],
  [
    'a switch whose condition is another node',
    {
      22: node('ComfySwitchNode', { switch: ['23', 0], on_false: ['4', 0], on_true: ['24', 0] }),
      23: node('PrimitiveBoolean', { value: true }),
    },
    ['sw.safetensors'],
  ],
  ['if and else', { 22: node('If', { condition: true, if_true: ['4', 0], if_false: ['24', 0] }) }, []],
  [
    'a switch by number',
    { 22: node('ImpactSwitch', { select: 2, input1: ['4', 0], input2: ['24', 0] }) },
    ['sw.safetensors'],
  ],
  [
    'the first that is connected',
    { 22: node('Any Switch (rgthree)', { any_01: ['24', 0], any_02: ['4', 0] }) },
    ['sw.safetensors'],
  ],
  [
    'switches behind one another',
    {
      22: node('ComfySwitchNode', { switch: true, on_true: ['26', 0] }),
      26: node('ImpactSwitch', { select: 1, input1: ['24', 0] }),
    },
    ['sw.safetensors'],
  ],
])('only what was used counts: %s', (_name, nodes, loras) => {
  const found = read(graphWith({ ...nodes, 24: lora, 25: otherModel, 3: sampler({ model: ['22', 0] }) }));
  expect(found).toMatchObject({ prompt: 'a red fox', seed: 777, model: 'base.safetensors' });
  expect((found?.loras ?? []).map(({ name }) => name)).toEqual(loras);
});

test('a switch between texts gives the one that was used', () => {
  for (const on of [true, false])
    expect(
      read(
        graphWith({
          6: node('CLIPTextEncode', { text: ['28', 0], clip: ['4', 1] }),
          28: node('ComfySwitchNode', { switch: on, on_false: ['18', 0], on_true: ['19', 0] }),
          18: node('PrimitiveStringMultiline', { value: 'the first' }),
          19: node('PrimitiveStringMultiline', { value: 'the second' }),
        }),
      ),
    ).toMatchObject({ prompt: on ? 'the second' : 'the first' });
});

test('switches that go round in circles end', () => {
  fc.assert(
    fc.property(fc.constantFrom('22', '23'), fc.constantFrom('22', '23'), fc.constantFrom('22', '23'), (a, b, c) => {
      const circle = node('ComfySwitchNode', { switch: [a, 0], on_false: [b, 0], on_true: [c, 0] });
      expect(read(graphWith({ 22: circle, 23: circle, 3: sampler({ model: ['22', 0] }) }))).toMatchObject({
        seed: 777,
      });
    }),
  );
});

test.each([
  [
    'numbers and switches',
    node('CR LoRA Stack', {
      switch_1: 'On',
      lora_name_1: 'c1',
      model_weight_1: 0.9,
      switch_2: 'Off',
      lora_name_2: 'c2',
      model_weight_2: 1,
    }),
    [{ name: 'c1', weight: 0.9 }],
  ],
  [
    'a count',
    node('LoRA Stacker', {
      lora_count: 2,
      lora_name_1: 'a',
      lora_wt_1: 0.5,
      lora_name_2: 'b',
      lora_wt_2: 1,
      lora_name_3: 'c',
      lora_wt_3: 1,
    }),
    [
      { name: 'a', weight: 0.5 },
      { name: 'b', weight: 1 },
    ],
  ],
  [
    'a list',
    node('Lora Stacker (LoraManager)', {
      loras: {
        __value__: [
          { name: 'lm1', strength: 0.8, active: true },
          { name: 'lm2', active: false },
        ],
      },
    }),
    [{ name: 'lm1', weight: 0.8 }],
  ],
])('a stack of LoRAs, with %s', (_name, stack, loras) => {
  const apply = node('CR Apply LoRA Stack', { model: ['4', 0], clip: ['4', 1], lora_stack: ['53', 0] });
  expect(read(graphWith({ 52: apply, 53: stack, 3: sampler({ model: ['52', 0] }) }))).toMatchObject({
    model: 'base.safetensors',
    loras,
  });
});

test('all-in-one loaders give size, clip skip, LoRA and stack', () => {
  const loader = node('Efficient Loader', {
    ckpt_name: 'eff.safetensors',
    clip_skip: -2,
    lora_name: 'style',
    lora_model_strength: 0.7,
    positive: 'a red fox',
    negative: 'blurry',
    empty_latent_width: 512,
    empty_latent_height: 768,
    lora_stack: ['2', 0],
  });
  const from = { model: ['1', 0], positive: ['1', 1], negative: ['1', 2], latent_image: ['1', 3] };
  expect(
    read({
      1: loader,
      2: node('LoRA Stacker', { lora_count: 1, lora_name_1: 'a', lora_wt_1: 0.5 }),
      3: sampler(from),
      9: node('SaveImage', { images: ['3', 0] }),
    }),
  ).toMatchObject({
    prompt: 'a red fox',
    negativePrompt: 'blurry',
    size: '512x768',
    clipSkip: 2,
    model: 'eff.safetensors',
    loras: [
      { name: 'style', weight: 0.7 },
      { name: 'a', weight: 0.5 },
    ],
  });
});

test.each([
  [
    'both texts in one node',
    node('WanVideoTextEncode', { positive_prompt: 'a horse runs', negative_prompt: 'static' }),
  ],
  ['a bridge from two encoders', node('WanVideoTextEmbedBridge', { positive: ['234', 0], negative: ['235', 0] })],
])('WanVideo: %s', (_name, embeds) => {
  expect(
    read({
      198: node('WanVideoModelLoader', { model: 'wan2.1.safetensors' }),
      16: embeds,
      234: node('CLIPTextEncode', { text: 'a horse runs' }),
      235: node('CLIPTextEncode', { text: 'static' }),
      252: node('WanVideoSampler', {
        steps: 30,
        cfg: 6,
        seed: 1234,
        scheduler: 'unipc',
        model: ['198', 0],
        text_embeds: ['16', 0],
      }),
      300: node('VHS_VideoCombine', { images: ['252', 0] }),
    }),
  ).toMatchObject({
    prompt: 'a horse runs',
    negativePrompt: 'static',
    seed: 1234,
    steps: 30,
    model: 'wan2.1.safetensors',
  });
});

test('of two samplers the one that adds the noise counts; a template gives way to its text; tags and lyrics are a prompt', () => {
  const second = sampler({ add_noise: 'disable', seed: 0, model: ['25', 0], latent_image: ['3', 0] });
  expect(read(graphWith({ 25: otherModel, 11: second, 9: node('SaveImage', { images: ['11', 0] }) }))).toMatchObject({
    seed: 777,
    model: 'base.safetensors',
  });
  const wildcard = node('ImpactWildcardEncode', {
    wildcard_text: 'a {red|blue} fox',
    populated_text: 'a blue fox',
    clip: ['4', 1],
  });
  expect(read(graphWith({ 6: wildcard }))).toMatchObject({ prompt: 'a blue fox' });
  const song = node('TextEncodeAceStepAudio', { tags: 'lofi, piano', lyrics: 'la la', clip: ['4', 1] });
  expect(read(graphWith({ 6: song }))?.prompt).toContain('lofi, piano');
});

test('the nodes of a subgraph are read from a workflow alone, with its inputs and outputs connected', () => {
  const inside = {
    id: 'sub',
    nodes: [
      {
        id: 3,
        type: 'KSampler',
        inputs: [
          { name: 'model', link: 1 },
          { name: 'positive', link: 2 },
        ],
        widgets_values: [777, 'fixed', 20, 7, 'euler', 'normal', 1],
      },
      { id: 6, type: 'CLIPTextEncode', inputs: [], widgets_values: ['a red fox'] },
    ],
    links: [
      { id: 1, origin_id: -10, origin_slot: 0, target_id: 3, target_slot: 0 },
      { id: 2, origin_id: 6, origin_slot: 0, target_id: 3, target_slot: 1 },
      { id: 3, origin_id: 3, origin_slot: 0, target_id: -20, target_slot: 0 },
    ],
  };
  const workflow = {
    nodes: [
      { id: 9, type: 'SaveImage', inputs: [{ name: 'images', link: 10 }] },
      { id: 30, type: 'sub', inputs: [{ name: 'model', link: 11 }] },
      { id: 4, type: 'CheckpointLoaderSimple', inputs: [], widgets_values: ['base.safetensors'] },
    ],
    links: [
      [10, 30, 0, 9, 0, 'IMAGE'],
      [11, 4, 0, 30, 0, 'MODEL'],
    ],
    definitions: { subgraphs: [inside] },
  };
  expect(read(workflow, 'workflow')).toMatchObject({
    prompt: 'a red fox',
    seed: 777,
    steps: 20,
    model: 'base.safetensors',
    hasWorkflow: true,
  });
  const many = { ...inside, nodes: Array.from({ length: 100 }, (_node, id) => ({ id, type: 'sub', inputs: [] })) };
  expect(read({ ...workflow, definitions: { subgraphs: [many] } }, 'workflow')).toMatchObject({ hasWorkflow: true });
  const circular = {
    ...workflow,
    definitions: { subgraphs: [{ ...inside, nodes: [...inside.nodes, { id: 8, type: 'sub', inputs: [] }] }] },
  };
  expect(read(circular, 'workflow')).toMatchObject({ seed: 777 });
});
