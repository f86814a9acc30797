/** What tools write into their files, as they write it. */

export const A1111 = `a red fox in the snow, <lora:winter_v2:0.8>, (detailed:1.2)
second line
Negative prompt: blurry, watermark
Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 2870305590, Size: 512x768, Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, VAE: vae-ft-mse.safetensors, Denoising strength: 0.35, Clip skip: 2, Lora hashes: "winter_v2: 25ec7a9d14f5, other: aaaa", Hires prompt: "a \\"quoted\\" fox, at night", Version: v1.10.1`;

const node = (class_type: string, inputs: object): object => ({ class_type, inputs });

/** A graph as ComfyUI's examples have it, with LoRA and a touch-up pass. */
export const COMFY_GRAPH = {
  '3': node('KSampler', {
    seed: 156680208700286,
    steps: 20,
    cfg: 8,
    sampler_name: 'euler',
    scheduler: 'normal',
    denoise: 1,
    model: ['10', 0],
    positive: ['20', 0],
    negative: ['7', 0],
    latent_image: ['5', 0],
  }),
  '4': node('CheckpointLoaderSimple', { ckpt_name: 'sd_xl_base_1.0.safetensors' }),
  '5': node('EmptyLatentImage', { width: 1024, height: 768, batch_size: 1 }),
  '6': node('CLIPTextEncode', { text: 'a glass bottle with a galaxy in it', clip: ['10', 1] }),
  '7': node('CLIPTextEncode', { text: 'text, watermark', clip: ['10', 1] }),
  '10': node('LoraLoader', {
    lora_name: 'galaxy.safetensors',
    strength_model: 0.7,
    strength_clip: 1,
    model: ['4', 0],
    clip: ['4', 1],
  }),
  '20': node('ConditioningCombine', { conditioning_1: ['21', 0], conditioning_2: ['22', 0] }),
  '21': node('Reroute', { '': ['6', 0] }),
  '22': node('CLIPTextEncode', { text: ['23', 0], clip: ['10', 1] }),
  '23': node('PrimitiveString', { value: 'studio light' }),
  '11': node('KSampler', {
    seed: 1,
    steps: 10,
    cfg: 8,
    sampler_name: 'ddim',
    scheduler: 'normal',
    denoise: 0.4,
    model: ['4', 0],
    positive: ['6', 0],
    negative: ['7', 0],
    latent_image: ['3', 0],
  }),
  '8': node('VAEDecode', { samples: ['11', 0], vae: ['4', 2] }),
  '9': node('SaveImage', { filename_prefix: 'ComfyUI', images: ['8', 0] }),
};

/** The nodes of a Flux graph, whose sampler takes its parts from others. Its seed has 20 digits. */
export const FLUX_GRAPH_JSON = JSON.stringify({
  '13': node('SamplerCustomAdvanced', {
    noise: ['25', 0],
    guider: ['22', 0],
    sampler: ['16', 0],
    sigmas: ['17', 0],
    latent_image: ['27', 0],
  }),
  '25': node('RandomNoise', { noise_seed: 'SEED' }),
  '22': node('BasicGuider', { model: ['30', 0], conditioning: ['26', 0] }),
  '30': node('ModelSamplingFlux', { max_shift: 1.15, model: ['12', 0] }),
  '26': node('FluxGuidance', { guidance: 3.5, conditioning: ['6', 0] }),
  '6': node('CLIPTextEncodeFlux', { clip_l: 'a fox', t5xxl: 'a fox made of ice', guidance: 3.5, clip: ['11', 0] }),
  '16': node('KSamplerSelect', { sampler_name: 'euler' }),
  '17': node('BasicScheduler', { scheduler: 'simple', steps: 28, denoise: 1, model: ['30', 0] }),
  '27': node('EmptySD3LatentImage', { width: 1216, height: 832, batch_size: 1 }),
  '12': node('UNETLoader', { unet_name: 'flux1-dev.safetensors', weight_dtype: 'default' }),
  '10': node('VAELoader', { vae_name: 'ae.safetensors' }),
  '8': node('VAEDecode', { samples: ['13', 0], vae: ['10', 0], broken: 'NAN' }),
  '9': node('SaveImage', { images: ['8', 0] }),
})
  .replace('"SEED"', '18446744073709551615')
  .replace('"NAN"', 'NaN');

export const COMFY_WORKFLOW = {
  last_node_id: 9,
  nodes: [
    {
      id: 3,
      type: 'KSampler',
      pos: [863, 186],
      mode: 0,
      inputs: [
        { name: 'model', type: 'MODEL', link: 1 },
        { name: 'positive', type: 'CONDITIONING', link: 4 },
        { name: 'negative', type: 'CONDITIONING', link: null },
        { name: 'latent_image', type: 'LATENT', link: 2 },
      ],
      widgets_values: [42, 'randomize', 25, 6.5, 'dpmpp_2m', 'karras', 1],
    },
    { id: 4, type: 'CheckpointLoaderSimple', widgets_values: ['dreamshaper_8.safetensors'], inputs: [] },
    { id: 5, type: 'EmptyLatentImage', widgets_values: [640, 960, 1], inputs: [] },
    { id: 6, type: 'CLIPTextEncode', widgets_values: ['a lighthouse'], inputs: [{ name: 'clip', link: 3 }] },
    { id: 9, type: 'SaveImage', widgets_values: ['ComfyUI'], inputs: [{ name: 'images', link: 9 }] },
  ],
  links: [
    [1, 4, 0, 3, 0, 'MODEL'],
    [2, 5, 0, 3, 3, 'LATENT'],
    [3, 4, 1, 6, 0, 'CLIP'],
    [4, 6, 0, 3, 1, 'CONDITIONING'],
  ],
  version: 0.4,
};

export const INVOKEAI = {
  generation_mode: 'sdxl_txt2img',
  positive_prompt: 'a bowl of fruit',
  negative_prompt: 'plastic',
  width: 832,
  height: 1216,
  seed: 3214741951,
  rand_device: 'cpu',
  cfg_scale: 5.5,
  steps: 30,
  scheduler: 'dpmpp_2m_sde_k',
  model: { key: 'k', hash: 'blake3:0f2c', name: 'Juggernaut XL v9', base: 'sdxl', type: 'main' },
  loras: [{ model: { key: 'l', name: 'detail-tweaker', base: 'sdxl', type: 'lora' }, weight: 0.75 }],
  app_version: '5.6.0',
};

export const INVOKEAI_OLD = {
  model: 'stable diffusion',
  model_weights: 'stable-diffusion-1.5',
  model_hash: 'cc6cb271',
  app_id: 'invoke-ai/InvokeAI',
  app_version: '2.3.5',
  image: {
    prompt: [{ prompt: 'a castle [fog, rain]', weight: 1 }],
    steps: 50,
    cfg_scale: 7.5,
    width: 512,
    height: 512,
    sampler: 'k_lms',
    seed: 99,
    type: 'txt2img',
  },
};

export const NOVELAI_COMMENT = {
  prompt: '1girl, watercolor',
  steps: 28,
  height: 1216,
  width: 832,
  scale: 5.0,
  uncond_scale: 1.0,
  cfg_rescale: 0.0,
  seed: 1330847652,
  n_samples: 1,
  noise_schedule: 'karras',
  sampler: 'k_euler_ancestral',
  request_type: 'PromptGenerateRequest',
  v4_prompt: { caption: { base_caption: '1girl, watercolor', char_captions: [] } },
  uc: 'lowres, bad hands',
};

export const FOOOCUS = {
  adm_guidance: '(1.5, 0.8, 0.3)',
  base_model: 'juggernautXL_v8Rundiffusion',
  base_model_hash: 'aeb7e9e689',
  clip_skip: 2,
  full_prompt: ['a harbour', 'cinematic still a harbour'],
  guidance_scale: 4,
  loras: [['sd_xl_offset_example-lora_1.0', 0.1, '4852686128']],
  metadata_scheme: 'fooocus',
  negative_prompt: 'ugly',
  performance: 'Speed',
  prompt: 'a harbour',
  refiner_model: 'None',
  resolution: '(1152, 896)',
  sampler: 'dpmpp_2m_sde_gpu',
  scheduler: 'karras',
  seed: '5301354317943459000',
  sharpness: 2,
  steps: 30,
  styles: "['Fooocus V2', 'Fooocus Enhance']",
  vae: 'Default (model)',
  version: 'Fooocus v2.5.5',
};

export const SWARMUI = {
  sui_image_params: {
    prompt: 'a clock tower',
    negativeprompt: 'people',
    model: 'OfficialStableDiffusion/sd_xl_base_1.0',
    images: 1,
    seed: 1246518281,
    steps: 24,
    cfgscale: 6.5,
    aspectratio: '1:1',
    width: 1024,
    height: 1024,
    sampler: 'dpmpp_2m',
    scheduler: 'karras',
    loras: ['towers'],
    loraweights: ['0.6'],
    swarm_version: '0.9.5.0',
  },
  sui_models: [{ name: 'sd_xl_base_1.0.safetensors', param: 'model', hash: '0x31e35c80fc' }],
};

const DRAW_THINGS = {
  c: 'a fox & a "hare"',
  uc: 'noise',
  lora: [{ model: 'hare_lora_f16.ckpt', weight: 0.5 }],
  model: 'flux_1_schnell_q5p.ckpt',
  profile: { duration: 12.5 },
  sampler: 'Euler A Trailing',
  scale: 3.5,
  seed: 4096,
  seed_mode: 'Scale Alike',
  size: '896x1152',
  steps: 4,
  strength: 1,
  v2: { clipSkip: 1, width: 896, height: 1152 },
};
const escaped = JSON.stringify(DRAW_THINGS).replaceAll('&', '&amp;').replaceAll('"', '&quot;');
export const DRAW_THINGS_XMP = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"><xmp:CreatorTool>Draw Things</xmp:CreatorTool><exif:UserComment><rdf:Alt><rdf:li xml:lang="x-default">${escaped}</rdf:li></rdf:Alt></exif:UserComment></rdf:Description></rdf:RDF></x:xmpmeta>`;
