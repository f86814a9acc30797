import type { ProviderAnswer } from './answer.ts';
import { automatic1111Answer } from './automatic1111.ts';
import { comfyApiAnswer } from './comfyui.ts';
import { falAnswer } from './fal.ts';
import { openaiAnswer } from './openai.ts';
import { geminiAnswer, stabilityAnswer } from './others.ts';
import { replicateAnswer } from './replicate.ts';
import { runpodAnswer } from './runpod.ts';

/** Whose answers are understood. `comfyui` reads comfyui-api's answers; a plain ComfyUI's history needs its address. */
export const ANSWERS = {
  openai: openaiAnswer,
  fal: falAnswer,
  replicate: replicateAnswer,
  runpod: runpodAnswer,
  comfyui: comfyApiAnswer,
  gemini: geminiAnswer,
  stability: stabilityAnswer,
  automatic1111: automatic1111Answer,
} as const satisfies Record<string, (response: unknown) => ProviderAnswer>;

export type Provider = keyof typeof ANSWERS;
export const PROVIDERS = Object.keys(ANSWERS) as readonly Provider[];
