/** What further tools write as settings in JSON, and what is read of them. */

export const RUINED = {
  Prompt: 'a den',
  Negative: 'x',
  steps: 30,
  cfg: 8,
  width: 1024,
  height: 768,
  seed: 2020040001,
  sampler_name: 'dpmpp_2m_sde_gpu',
  scheduler: 'karras',
  base_model_name: 'w.safetensors',
  base_model_hash: 'BEF',
  loras: [{ name: 'l', weight: 0.5 }],
  clip_skip: 2,
  software: 'RuinedFooocus',
};
export const RUINED_SAYS = {
  source: 'ruinedfooocus',
  prompt: 'a den',
  negativePrompt: 'x',
  steps: 30,
  cfgScale: 8,
  seed: 2020040001,
  sampler: 'dpmpp_2m_sde_gpu',
  scheduler: 'karras',
  model: 'w.safetensors',
  modelHash: 'BEF',
  size: '1024x768',
  clipSkip: 2,
  loras: [{ name: 'l', weight: 0.5 }],
};

export const MRE = {
  prompt: 'witch, 2d vector',
  negative_prompt: '',
  style: 'sai-comic book',
  seed: 0,
  width: 1152,
  height: 896,
  p_txt: 'comic witch',
  sampler: 'dpmpp_2m_sde_gpu',
  scheduler: 'karras',
  performance: 'Speed',
  steps: 30,
  cfg: 7,
  base_clip_skip: -2,
  base_model: 'C:\\fooocus\\models\\morph.safetensors',
  refiner_model: 'None',
  l1: 'off.safetensors',
  w1: 0.5,
  l2: 'None',
  w2: 0.5,
  l3: 'C:\\loras\\third.safetensors',
  w3: -1,
  software: 'Fooocus 1.0.43 MRE',
};
export const MRE_SAYS = {
  source: 'fooocus',
  prompt: 'witch, 2d vector',
  seed: 0,
  size: '1152x896',
  cfgScale: 7,
  clipSkip: 2,
  model: 'morph.safetensors',
  version: 'Fooocus 1.0.43 MRE',
  loras: [
    { name: 'off.safetensors', weight: 0.5 },
    { name: 'third.safetensors', weight: -1 },
  ],
};

export const EASY = {
  prompt: 'a lighthouse',
  negative_prompt: 'fog',
  seed: 4010,
  use_stable_diffusion_model: 'C:\\ED\\models\\stable-diffusion\\sd-v1-4.ckpt',
  clip_skip: false,
  use_vae_model: 'C:\\ED\\models\\vae\\mse.safetensors',
  sampler_name: 'euler_a',
  width: 512,
  height: 640,
  num_inference_steps: 25,
  guidance_scale: 7.5,
  prompt_strength: 0.8,
  use_lora_model: 'C:\\ED\\models\\lora\\glow.safetensors',
  lora_alpha: 0.6,
  use_upscale: 'RealESRGAN_x4plus',
};
export const EASY_READABLE = {
  Prompt: EASY.prompt,
  'Negative Prompt': EASY.negative_prompt,
  Seed: EASY.seed,
  'Stable Diffusion model': EASY.use_stable_diffusion_model,
  'Clip Skip': false,
  'VAE model': EASY.use_vae_model,
  Sampler: 'euler_a',
  Width: 512,
  Height: 640,
  Steps: 25,
  'Guidance Scale': 7.5,
  'Prompt Strength': 0.8,
  'LoRA model': EASY.use_lora_model,
  'LoRA Strength': 0.6,
  'Use Upscaling': 'RealESRGAN_x4plus',
};
export const EASY_SAYS = {
  source: 'easydiffusion',
  prompt: 'a lighthouse',
  negativePrompt: 'fog',
  seed: 4010,
  steps: 25,
  sampler: 'euler_a',
  cfgScale: 7.5,
  denoise: 0.8,
  size: '512x640',
  model: 'sd-v1-4.ckpt',
  vae: 'mse.safetensors',
  loras: [{ name: 'glow.safetensors', weight: 0.6 }],
};

/** Settings as texts of their own. */
export const textsOf = (settings: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)]));

export const SPACE = {
  prompt: 'a harbour',
  negative_prompt: 'ugly',
  resolution: '832 x 1216',
  guidance_scale: 7,
  num_inference_steps: 28,
  style_preset: 'None',
  seed: 42,
  sampler: 'Euler a',
  Model: 'Animagine XL 3.1',
  'Model hash': 'e3c47aedb0',
  use_upscaler: null,
};
export const SPACE_SAYS = {
  source: 'huggingface',
  prompt: 'a harbour',
  negativePrompt: 'ugly',
  size: '832x1216',
  cfgScale: 7,
  steps: 28,
  seed: 42,
  sampler: 'Euler a',
  model: 'Animagine XL 3.1',
  modelHash: 'e3c47aedb0',
};

export const TENSOR = {
  models: [
    { type: 'LORA', modelFileName: 'glow.safetensors', weight: 0.8, hash: 'CD' },
    { type: 'BASE_MODEL', modelFileName: 'pond.safetensors', hash: 'AB' },
  ],
  prompt: 'a pond',
  negativePrompt: 'bad',
  width: 1024,
  height: 768,
  seed: '303',
  clipSkip: 2,
  cfgScale: 6.5,
  baseModel: { label: 'pond', modelFileName: 'pond.safetensors', hash: 'AB' },
};
/** What its own settings do not say comes from the graph. */
export const TENSOR_SAYS = {
  source: 'tensorart',
  prompt: 'a pond',
  negativePrompt: 'bad',
  size: '1024x768',
  seed: 303,
  clipSkip: 2,
  cfgScale: 6.5,
  model: 'pond.safetensors',
  modelHash: 'AB',
  steps: 20,
  sampler: 'euler',
  loras: [{ name: 'glow.safetensors', weight: 0.8 }],
  hasWorkflow: true,
};

export const MATRIX = {
  PositivePrompt: 'a mill',
  NegativePrompt: 'blur',
  Width: 640,
  Height: 512,
  Seed: 77,
  Steps: 12,
  CfgScale: 4.5,
  Sampler: 'Euler',
  ModelName: 'mill.safetensors',
  ModelHash: null,
};
export const MATRIX_SAYS = {
  source: 'stabilitymatrix',
  prompt: 'a mill',
  negativePrompt: 'blur',
  size: '640x512',
  seed: 77,
  steps: 12,
  cfgScale: 4.5,
  sampler: 'Euler',
  model: 'mill.safetensors',
  hasWorkflow: true,
};

export const CIVITAI = {
  prompt: 'a weir',
  negativePrompt: 'bad',
  cfgScale: 4,
  sampler: 'Euler a',
  clipSkip: 2,
  steps: 9,
  seed: 5,
};
export const CIVITAI_SAYS = {
  source: 'civitai',
  prompt: 'a weir',
  negativePrompt: 'bad',
  cfgScale: 4,
  sampler: 'Euler a',
  steps: 9,
  seed: 5,
  model: 'sd_xl_base_1.0.safetensors',
  hasWorkflow: true,
};

/** Names of settings that the tools above have. */
export const NAMES = [RUINED, MRE, EASY, EASY_READABLE, SPACE, TENSOR, MATRIX, CIVITAI].flatMap((each) =>
  Object.keys(each),
);
export const TEXTS = [RUINED, MRE, EASY, SPACE, TENSOR, MATRIX].map((each) => JSON.stringify(each));
