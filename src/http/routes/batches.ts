import { createJsonCheck } from '../../shapes/validator.ts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { Type } from 'typebox';
import { type BatchEntry, ingestBatch } from '../../domain/ingest/ingest-batch.ts';
import { abortSignal } from '../connections/abort-signal.ts';
import { callerOf } from '../auth/auth.ts';
import { failedPart } from '../errors/error-handler.ts';
import { idempotencyKey, readIngestJson } from '../requests/ingest-request.ts';
import { present } from '../responses/present.ts';
import type { RouteDeps } from '../route-deps.ts';
import { IDEMPOTENCY_KEY, problems, ref } from '../../shapes/common.ts';
import { BatchRequest, batchResponse } from '../schemas/delivery.ts';
import { IngestJson } from '../../shapes/ingest.ts';

/** As `BatchRequest`, but with items of any form. */
const checkEnvelope = createJsonCheck<{ userId?: string | null; items: unknown[] }>(
  Type.Object(
    {
      userId: Type.Optional(Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 255 })),
      items: Type.Array(Type.Unknown(), { minItems: 1, maxItems: 100 }),
    },
    { additionalProperties: false },
  ),
);
const checkItem = createJsonCheck<IngestJson>(ref(IngestJson));

/** Several JSON ingests in one call. */
export function batchRoutes(instance: FastifyInstance, deps: RouteDeps): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.route({
    method: 'POST',
    url: '/v1/batches',
    config: { access: 'media:write', body: 'json' },
    schema: {
      operationId: 'createBatch',
      tags: ['Media'],
      summary: 'Store several items',
      description:
        'Up to 100 JSON ingests in one call; each succeeds or fails on its own, and the results keep the order. With an Idempotency-Key the same batch can be sent again: items that were stored are answered, not stored twice.',
      headers: Type.Object({ 'idempotency-key': IDEMPOTENCY_KEY }),
      body: ref(BatchRequest),
      response: { 200: batchResponse, ...problems },
    },
    ...withItemsUnchecked(app),
    handler: async (request, reply) => batchOf(deps, request, reply),
  });
}

/** Items are validated individually, so that an invalid one does not refuse the others. */
export function withItemsUnchecked(app: FastifyInstance): Pick<RouteOptions, 'validatorCompiler'> {
  return {
    validatorCompiler: (part) => (part.httpPart === 'body' ? () => true : (app.validatorCompiler ?? refuseAll)(part)),
  };
}

/** Stores the items of a batch, each changed by `change` after its validation. */
export async function batchOf(
  deps: RouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  {
    change = (item) => item,
    keepPending = false,
  }: { change?: (item: IngestJson) => IngestJson; keepPending?: boolean } = {},
) {
  const { userId, items } = checkEnvelope(request.body);
  const results = await ingestBatch(deps, {
    caller: callerOf(request),
    entries: items.map((value) => ({
      url: urlOf(value),
      read: async () => {
        const { input, source } = await readIngestJson(change(checkItem(value)));
        return { input: { ...input, userId: input.userId ?? userId ?? undefined }, source };
      },
    })),
    idempotencyKey: idempotencyKey(request),
    keepPending,
    signal: abortSignal(request, reply),
  });
  return {
    results: results.map((result) =>
      'error' in result
        ? failedPart(result.error, request)
        : { status: 201, item: present(result.item, deps.publicBaseUrl) },
    ),
  };
}

/** The URL of an entry that was not validated yet. */
function urlOf(value: unknown): BatchEntry['url'] {
  const { source, provider } = (typeof value === 'object' && value !== null ? value : {}) as Partial<IngestJson>;
  if (source?.type !== 'url' || typeof source.url !== 'string') return undefined;
  return { url: source.url, provider: typeof provider === 'string' ? provider : undefined };
}

function refuseAll(): never {
  throw new Error('the app has no validator');
}
