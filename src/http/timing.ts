import { BODY_RATE, type BodyRate } from './minimum-rate.ts';

/** How long a connection may keep the service waiting, in milliseconds. */
export interface Timing {
  /** Without a byte in either direction. */
  idleMs: number;
  /** For the whole head of a request. */
  headersMs: number;
  /** Between two looks for connections that are over their time. */
  checkMs: number;
  bodyRate: BodyRate;
}

export const TIMING: Timing = { idleMs: 120_000, headersMs: 20_000, checkMs: 5000, bodyRate: BODY_RATE };
