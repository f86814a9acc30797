import { ConfigError } from '../config/load-config.ts';
import { DatabaseRefused } from '../db/connections/refusal.ts';
import { asAppError } from '../domain/database-failure.ts';
import { causeOf, codeOf, isAppError } from '../errors.ts';
import { EXIT } from './runtime/exit-codes.ts';
import { UsageError } from './runtime/usage-error.ts';

export interface Explanation {
  exit: number;
  /** `usage`, `configuration`, `failed`, or the code of docs/errors.md. */
  code: string;
  message: string;
}

/** PostgreSQL's codes for a table, column or function that is not there. */
const LACKS_SCHEMA = new Set(['42P01', '42703', '42883']);

/** What a command's error means to the person or script that ran it. */
export function explain(error: unknown): Explanation {
  if (error instanceof UsageError) return { exit: EXIT.usage, code: 'usage', message: error.message };
  if (error instanceof ConfigError) return { exit: EXIT.usage, code: 'configuration', message: error.message };
  if (error instanceof DatabaseRefused)
    return { exit: EXIT.usage, code: 'configuration', message: `DATABASE_URL: ${error.message}` };
  if (LACKS_SCHEMA.has(codeOf(error) ?? '') && error instanceof Error)
    return {
      exit: EXIT.failed,
      code: 'failed',
      message: `The database lacks the schema of this version (${error.message}); run: mediakeep migrate`,
    };
  const known = asAppError(error);
  const message = known instanceof Error ? known.message : String(known);
  if (isAppError(known, 'invalid_request', 'unknown_store')) return { exit: EXIT.usage, code: 'usage', message };
  if (isAppError(known, 'database_unavailable'))
    return {
      exit: EXIT.dependencyDown,
      code: known.code,
      message: `DATABASE_URL: the database cannot be reached (${causeOf(error)}); start it, or correct the address`,
    };
  if (isAppError(known, 'database_unavailable', 'store_unavailable'))
    return { exit: EXIT.dependencyDown, code: known.code, message };
  return { exit: EXIT.failed, code: isAppError(known) ? known.code : 'failed', message };
}
