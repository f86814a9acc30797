import { pathToFileURL } from 'node:url';
import path from 'node:path';
import { CHECKOUT } from './service-process.ts';

/** Settings of a service process whose clock is so many seconds ahead; a negative number is behind. */
export function clockOff(seconds: number): Record<string, string> {
  const preload = pathToFileURL(path.join(CHECKOUT, 'test/support/shifted-clock.ts')).href;
  return { NODE_OPTIONS: `--import ${preload}`, CLOCK_OFFSET_SECONDS: String(seconds) };
}
