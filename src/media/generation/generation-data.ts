import type { EmbeddedTexts } from '../embedded-texts.ts';

/** Tools whose formats are known. `c2pa`: only a manifest was found; `unknown`: settings of a tool that is not known, or only notes. */
export type Dialect =
  | 'automatic1111'
  | 'comfyui'
  | 'invokeai'
  | 'novelai'
  | 'fooocus'
  | 'swarmui'
  | 'drawthings'
  | 'easydiffusion'
  | 'huggingface'
  | 'midjourney'
  | 'ruinedfooocus'
  | 'stabilitymatrix'
  | 'tensorart'
  | 'civitai'
  | 'c2pa'
  | 'unknown';

/** A LoRA and its weight. */
export type Lora = { name: string; weight?: number };

/** How a picture was generated, with the same field names for all tools. A field is absent when the file does not say. */
export type GenerationData = {
  source: Dialect;
  prompt?: string;
  negativePrompt?: string;
  /** A string when a number would lose digits. */
  seed?: number | string;
  steps?: number;
  sampler?: string;
  scheduler?: string;
  cfgScale?: number;
  denoise?: number;
  clipSkip?: number;
  model?: string;
  modelHash?: string;
  vae?: string;
  /** The size requested from the model; the picture may have been upscaled afterwards. */
  width?: number;
  height?: number;
  /** `{width}x{height}`. */
  size?: string;
  loras?: Lora[];
  /** Version of the tool. */
  version?: string;
  /** Further settings under the tool's own names. */
  parameters?: Record<string, string | number | boolean>;
  /** Whether the file has a ComfyUI workflow. */
  hasWorkflow?: true;
  c2pa?: true;
  /** What could not be read or stored. */
  notes?: string[];
};

/** The result of a dialect's reader. Its values are unchecked; `tidy.ts` checks and shortens them. */
export type FoundTexts = { [Key in keyof Omit<GenerationData, 'loras' | 'size'>]?: unknown } & {
  source: Dialect;
  loras?: { name: unknown; weight?: unknown }[];
};

/** Reads one dialect; undefined when the texts are in another. May throw on malformed texts. */
export type DialectReader = (texts: EmbeddedTexts['texts']) => FoundTexts | undefined;
