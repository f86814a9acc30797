import { type DestinationStream, type Logger, pino } from 'pino';
import { logContext } from './log-context.ts';
import { Output } from './output.ts';

/**
 * Codes of a system, a network or a busy database: the message and its causes tell everything, and where in the code it was met
 * tells nothing.
 */
const OUTAGE = /^(E[A-Z]{2,}|E[A-Z]+_[A-Z_]+|UND_ERR_\w+|08\w{3}|53\w{3}|57P0\d|57014|55P03|40001|40P01)$/;
/** Our own errors, which say what happened in their message. */
const EXPECTED = new Set(['AppError', 'StorageError', 'ConfigError']);

function needsStack({ name, code }: { name: string; code?: unknown }): boolean {
  return !EXPECTED.has(name) && !(typeof code === 'string' && OUTAGE.test(code));
}

/** Only the fields of an error that explain it: drivers attach whole clients, with their secrets, to theirs. */
function serializeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error;
  const { code } = error as { code?: unknown };
  return {
    type: error.name,
    message: error.message,
    ...(code !== undefined && { code }),
    ...(needsStack(error) && { stack: error.stack }),
    ...(error.cause instanceof Error && depth < 5 && { cause: serializeError(error.cause, depth + 1) }),
  };
}

/** The service's logger: JSON lines, to standard output by default. */
export function createLogger(level: string, destination: DestinationStream = new Output()): Logger {
  return pino(
    {
      level,
      serializers: { err: (error: unknown) => serializeError(error) },
      // Fields of the line itself win.
      mixin: () => ({ ...logContext() }),
      mixinMergeStrategy: (line, context) => Object.assign(context, line),
    },
    destination,
  );
}

/** Standard error, for what is logged by commands and by a start that fails. */
export function standardError(): DestinationStream {
  return new Output(2);
}
