import type { Json } from '../../json/json.ts';
import { AppError, isAppError } from '../../errors.ts';
import { type ComfyFile, comfyViewUrl } from './history.ts';
import { type FetchedUrl, createUrlFetcher } from '../fetch/fetch-url.ts';
import { isGone } from '../fetch/fetch-failure.ts';
import { parseProviderJson } from '../../json/parse-json.ts';

/** The operator's own ComfyUI. */
export interface ComfyClient {
  /** How long a prompt may take before it counts as failed. */
  readonly deadlineSeconds: number;
  /**
   * `GET /history/{prompt_id}`: `{}` while the prompt is running, and after ComfyUI has dropped it from its history. Where that route is
   * missing, the job of Comfy API v2: `GET /api/v2/jobs/{id}`.
   * @throws AppError fetch_failed: ComfyUI gave no answer, or an unreadable one; too_large
   */
  history(promptId: string, signal?: AbortSignal): Promise<Json>;
  /** The bytes of an output. @throws AppError as UrlFetcher.fetch */
  view(file: Omit<ComfyFile, 'node'>, signal?: AbortSignal): Promise<FetchedUrl>;
  close(): Promise<void>;
}

export interface ComfyClientOptions {
  /** Its base URL; a path in it is kept in front of ComfyUI's routes. */
  url: string;
  /** Largest output, in bytes. */
  maxBytes: number;
  /** Time limit for one output. */
  timeoutMs: number;
  deadlineSeconds: number;
  /** Time limit for one request of the history. */
  historyTimeoutMs?: number;
}

const HISTORY_MS = 10_000;
/** A workflow of thousands of nodes has a few MB. */
const MAX_HISTORY_BYTES = 32 * 1024 * 1024;
/** ComfyUI makes UUIDs, but accepts ids that a client chooses. */
const PROMPT_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$/;

/** @throws AppError invalid_request: no prompt can have this id */
export function checkPromptId(promptId: string, field: string): void {
  if (!PROMPT_ID.test(promptId))
    throw new AppError(
      'invalid_request',
      "A ComfyUI prompt id has letters, digits, '-', '_' and '.', like the UUIDs that ComfyUI gives.",
      { field },
    );
}

/**
 * Creates a client for one ComfyUI. Its host may be private, so the client has separate fetchers: a URL that a caller sends can never reach
 * that host. Redirects are not followed.
 */
export function createComfyClient(options: ComfyClientOptions): ComfyClient {
  const base = options.url.replace(/(?<!\/)\/+$/, '');
  const trusted = { trustedHosts: [new URL(base).hostname], maxRedirects: 0 };
  const histories = createUrlFetcher({
    ...trusted,
    maxBytes: MAX_HISTORY_BYTES,
    totalTimeoutMs: options.historyTimeoutMs ?? HISTORY_MS,
  });
  const files = createUrlFetcher({ ...trusted, maxBytes: options.maxBytes, totalTimeoutMs: options.timeoutMs });

  return {
    deadlineSeconds: options.deadlineSeconds,
    async history(promptId, signal) {
      const id = encodeURIComponent(promptId);
      const options = { ...(signal && { signal }) };
      const { body } = await histories.fetch(`${base}/history/${id}`, options).catch((error: unknown) => {
        if (!isGone(error)) throw error;
        return histories.fetch(`${base}/api/v2/jobs/${id}`, options);
      });
      const chunks: Buffer[] = [];
      for await (const chunk of body) chunks.push(chunk as Buffer);
      try {
        return await parseProviderJson(Buffer.concat(chunks));
      } catch (error) {
        if (!isAppError(error, 'invalid_json', 'json_too_complex', 'invalid_request')) throw error;
        throw new AppError('fetch_failed', 'ComfyUI did not answer with a history that can be read.', { cause: error });
      }
    },
    view: (file, signal) => files.fetch(comfyViewUrl(base, { node: '', ...file }), { ...(signal && { signal }) }),
    close: async () => {
      await Promise.all([histories.close(), files.close()]);
    },
  };
}
