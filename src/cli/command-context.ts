import type { Logger } from 'pino';
import type { Config } from '../config/load-config.ts';

/** What every command gets. */
export interface CommandContext {
  config: Config;
  log: Logger;
  version: string;
}
