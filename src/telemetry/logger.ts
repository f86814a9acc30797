import { type DestinationStream, type Logger, pino } from 'pino';
import { Output } from './output.ts';

/** Only the fields of an error that explain it: drivers attach whole clients, with their secrets, to theirs. */
function serializeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error;
  const { code } = error as { code?: unknown };
  return {
    type: error.name,
    message: error.message,
    ...(code !== undefined && { code }),
    stack: error.stack,
    ...(error.cause instanceof Error && depth < 5 && { cause: serializeError(error.cause, depth + 1) }),
  };
}

/** The service's logger: JSON lines, to standard output by default. */
export function createLogger(level: string, destination: DestinationStream = new Output()): Logger {
  return pino({ level, serializers: { err: (error: unknown) => serializeError(error) } }, destination);
}

/** Standard error, for what is logged by commands and by a start that fails. */
export function standardError(): DestinationStream {
  return new Output(2);
}
