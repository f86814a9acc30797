import type { Logger } from 'pino';
import type { Config } from '../config/load-config.ts';

/** The context of every command. */
export interface CommandContext {
  config: Config;
  log: Logger;
  version: string;
}
