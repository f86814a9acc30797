import type { Json, JsonObject } from '../../json/json.ts';
import type { AnswerError } from './answer-error.ts';

/** Where one output's bytes are, as a provider says. */
export type OutputBytes =
  | { type: 'url'; url: string }
  /** Base64 or a data URI. */
  | { type: 'base64'; data: string }
  /** An object that lies in a store already: a key, or an absolute path under the volume's mount. */
  | { type: 'object'; path: string }
  /** A file that the operator's own ComfyUI gives out; only ComfyUI's history, asked for by this service, names those. */
  | { type: 'comfyui'; filename: string; subfolder: string; fileType: string; node: string };

/** One thing that was generated. */
export interface AnswerOutput {
  /** The best place first; the others serve when it fails. */
  from: OutputBytes[];
  filename?: string | undefined;
  subfolder?: string | undefined;
  contentType?: string | undefined;
  /** What is known of this output alone: its seed, its revised prompt. */
  generation?: JsonObject | undefined;
}

export type AnswerState = 'queued' | 'running' | 'succeeded' | 'failed' | 'canceled';

/** What a provider has said about one piece of work, in our words. */
export interface ProviderAnswer {
  /** The provider's own id of the work. */
  id?: string | undefined;
  state: AnswerState;
  /** 0 to 100. */
  progress?: number | undefined;
  error?: AnswerError | undefined;
  outputs: AnswerOutput[];
  /** The work failed after it had put those out: the failure is told of beside them. */
  partial?: boolean | undefined;
  prompt?: string | undefined;
  model?: string | undefined;
  size?: string | undefined;
  quality?: string | undefined;
  /** Seed, timings, tokens, cost and the like, for all outputs. */
  generation: JsonObject;
}

export function asObject(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

export function asArray(value: unknown): Json[] {
  return Array.isArray(value) ? (value as Json[]) : [];
}

/** A text that says something; numbers count, for ids come as either. */
export function asText(value: unknown): string | undefined {
  if (typeof value === 'string') return value.trim() === '' ? undefined : value;
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : undefined;
}

function asNumber(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

/** The entries of `values` that say something. */
export function present(values: Record<string, Json | undefined>): JsonObject {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, Json] => entry[1] !== undefined && entry[1] !== null),
  );
}

/** What a text that stands for bytes is: an address, or the bytes themselves. */
export function bytesOf(text: string): OutputBytes {
  return /^https?:\/\//i.test(text.trim()) ? { type: 'url', url: text.trim() } : { type: 'base64', data: text };
}

/** A progress of 0 to 100: a fraction of one, a percentage, or a text of either. */
export function progressOf(value: unknown): number | undefined {
  const percent = typeof value === 'string' ? /^\s*(\d+(?:\.\d+)?)\s*%\s*$/.exec(value)?.[1] : undefined;
  if (percent !== undefined) return Number(percent);
  const number = asNumber(value);
  // 1 alone could be either; of the two, nothing is claimed too early.
  return number !== undefined && number > 0 && number < 1 ? number * 100 : number;
}
