import type { JsonObject } from '../../json/json.ts';
import { asNumber } from '../../media/generation/loose-json.ts';
import type { AnswerError } from './answer-error.ts';

/** Where the bytes of one output can be read. */
export type OutputBytes =
  | { type: 'url'; url: string; /** When it stops working, where the answer says so. */ expiresAt?: string }
  /** Base64 or a data URI. */
  | { type: 'base64'; data: string }
  /** An object that is already in a store: its key, or an absolute path below a mount alias of the volume. */
  | { type: 'object'; path: string }
  /** A file of the operator's own ComfyUI. Only a history that this service read from that ComfyUI may name one. */
  | { type: 'comfyui'; filename: string; subfolder: string; fileType: string; node: string };

/** One generated file. */
export interface AnswerOutput {
  /** Where to read its bytes, best first; each further place is tried when the one before fails. */
  from: OutputBytes[];
  filename?: string | undefined;
  subfolder?: string | undefined;
  contentType?: string | undefined;
  /** Facts about this output alone, such as its seed or revised prompt. */
  generation?: JsonObject | undefined;
}

export type AnswerState = 'queued' | 'running' | 'succeeded' | 'failed' | 'canceled';

/** Media in an answer that is no output of the job. */
export interface IgnoredOutput {
  /** Where it stands: names with dots between them. */
  at: string;
  /** Its address, when it has one. */
  url?: string;
  reason: string;
}

/** A provider's answer or webhook about one job, in the service's own terms. */
export interface ProviderAnswer {
  /** The provider's id of the job. */
  id?: string | undefined;
  state: AnswerState;
  /** 0 to 100. */
  progress?: number | undefined;
  error?: AnswerError | undefined;
  outputs: AnswerOutput[];
  /** What else the answer holds of media, with the reason why it is no output. */
  ignored?: IgnoredOutput[] | undefined;
  /** The job failed after it had produced `outputs`: both the outputs and the failure are stored. */
  partial?: boolean | undefined;
  prompt?: string | undefined;
  model?: string | undefined;
  size?: string | undefined;
  quality?: string | undefined;
  /** Facts about all outputs, such as seed, timings, tokens and cost. */
  generation: JsonObject;
}

/** Reads a string that stands for bytes: a URL, or the bytes in base64. */
export function bytesOf(text: string): OutputBytes {
  return /^https?:\/\//i.test(text.trim()) ? { type: 'url', url: text.trim() } : { type: 'base64', data: text };
}

/** A progress from 0 to 100. Takes a fraction of one, a percentage, or a string of either. */
export function progressOf(value: unknown): number | undefined {
  const percent = typeof value === 'string' ? /^\s*(\d+(?:\.\d+)?)\s*%\s*$/.exec(value)?.[1] : undefined;
  if (percent !== undefined) return Number(percent);
  const number = asNumber(value);
  // 1 can mean 1 % or 100 %. It is read as 1 %, so that no job looks finished too early.
  return number !== undefined && number > 0 && number < 1 ? number * 100 : number;
}
