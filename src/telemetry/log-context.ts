import { AsyncLocalStorage } from 'node:async_hooks';

/** Names the request in every line of the log that is written on its behalf. */
export interface LogContext {
  requestId: string;
  /** Of the caller's `traceparent`. */
  traceId?: string;
  parentSpanId?: string;
}

const current = new AsyncLocalStorage<LogContext>();

/** Runs `work`, and all that it starts, with this context. */
export function withLogContext<T>(context: LogContext, work: () => T): T {
  return current.run(context, work);
}

/** The context of the running request, if there is one. */
export function logContext(): LogContext | undefined {
  return current.getStore();
}

/** W3C Trace Context: version, trace id, span id of the caller, flags. */
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/;

/** The ids of a `traceparent` header; empty when it is missing or malformed. */
export function traceOf(header: unknown): Pick<LogContext, 'traceId' | 'parentSpanId'> {
  const [, traceId, spanId] = (typeof header === 'string' && TRACEPARENT.exec(header)) || [];
  if (traceId === undefined || spanId === undefined || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return {};
  return { traceId, parentSpanId: spanId };
}
