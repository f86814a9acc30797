import type { Logger } from 'pino';
import type { Config, DatabaseConfig } from '../../config/load-config.ts';

/** The context of commands that need only the database. */
export interface DatabaseContext {
  config: DatabaseConfig;
  log: Logger;
  version: string;
}

/** The context of all other commands. */
export interface CommandContext extends DatabaseContext {
  config: Config;
}
