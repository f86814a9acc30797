import type { EmbeddedTexts } from '../embedded-texts.ts';

/** The tools whose way of writing is known; `c2pa`: nothing but a manifest; `unknown`: only notes of what is broken. */
export type Dialect =
  | 'automatic1111'
  | 'comfyui'
  | 'invokeai'
  | 'novelai'
  | 'fooocus'
  | 'swarmui'
  | 'drawthings'
  | 'c2pa'
  | 'unknown';

/** A model on top of the model, and how strongly it counts. */
export type Lora = { name: string; weight?: number };

/** How a picture was made, in one vocabulary for all tools. Absent: the file does not say. */
export type GenerationData = {
  source: Dialect;
  prompt?: string;
  negativePrompt?: string;
  /** A text where a number would lose digits. */
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
  /** What was asked of the model, which may have been scaled up afterwards. */
  width?: number;
  height?: number;
  /** `{width}x{height}`. */
  size?: string;
  loras?: Lora[];
  /** Of the tool. */
  version?: string;
  /** Further settings under the tool's own names. */
  parameters?: Record<string, string | number | boolean>;
  /** The file holds a ComfyUI workflow. */
  hasWorkflow?: true;
  c2pa?: true;
  /** What could not be read or kept. */
  notes?: string[];
};

/** What a dialect's reader gives: anything, which is checked and cut afterwards. */
export type Found = { [Key in keyof Omit<GenerationData, 'loras' | 'size'>]?: unknown } & {
  source: Dialect;
  loras?: { name: unknown; weight?: unknown }[];
};

/** Reads one dialect; undefined when the texts are not in it. May throw on what is broken. */
export type DialectReader = (texts: EmbeddedTexts['texts']) => Found | undefined;
