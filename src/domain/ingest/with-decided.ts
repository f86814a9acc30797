import type { ItemInput } from '../items/item-fields.ts';
import type { IngestRequest } from './ingest.ts';

/** The same request with fields that its path decides; the request's own values for them, before or after its file, are ignored. */
export function withDecided(request: IngestRequest, decided: ItemInput): IngestRequest {
  const { source } = request;
  const input = { ...request.input, ...decided };
  if (source.type !== 'bytes' || !source.finish) return { ...request, input };
  const finish = source.finish.bind(source);
  return {
    ...request,
    input,
    source: { ...source, finish: async (stored) => ({ ...(await finish(stored)), ...decided }) },
  };
}
