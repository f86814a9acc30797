import { createJsonCheck } from '../../shapes/validator.ts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { Type } from 'typebox';
import { ingest } from '../../domain/ingest/ingest.ts';
import { workThrough } from '../../domain/work-through.ts';
import { abortSignal } from '../connections/abort-signal.ts';
import { callerOf } from '../auth/auth.ts';
import { partProblem } from '../errors/error-handler.ts';
import { idempotencyKey, jsonSource } from '../requests/ingest-request.ts';
import { present } from '../answers/present.ts';
import type { RouteDeps } from '../route-deps.ts';
import { IDEMPOTENCY_KEY, problems, ref } from '../../shapes/common.ts';
import { BatchRequest, batchAnswer } from '../schemas/delivery.ts';
import { IngestJson } from '../../shapes/ingest.ts';
import { urlDiesAt } from '../../sources/fetch/url-expiry.ts';

/** URLs are mostly waited for, so a few items of a batch go at once; more would starve other callers. */
const CONCURRENCY = 4;

const checkEnvelope = createJsonCheck<{ items: unknown[] }>(
  Type.Object({ items: Type.Array(Type.Unknown(), { minItems: 1, maxItems: 100 }) }, { additionalProperties: false }),
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
      response: { 200: batchAnswer, ...problems },
    },
    ...withItemsUnchecked(app),
    handler: async (request, reply) => batchOf(deps, request, reply),
  });
}

/** Each item is checked on its own, so that one of a wrong shape does not refuse the others. */
export function withItemsUnchecked(app: FastifyInstance): Pick<RouteOptions, 'validatorCompiler'> {
  return {
    validatorCompiler: (part) => (part.httpPart === 'body' ? () => true : (app.validatorCompiler ?? refuseAll)(part)),
  };
}

/** Stores the items of a batch, each changed by `change` when it has been found to be of the right shape. */
export async function batchOf(
  deps: RouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  {
    change = (item) => item,
    keepPending = false,
  }: { change?: (item: IngestJson) => IngestJson; keepPending?: boolean } = {},
) {
  const { items } = checkEnvelope(request.body);
  const signal = abortSignal(request, reply);
  const key = idempotencyKey(request);
  const results = await inOrder(items, (item, index) =>
    one(deps, request, item, {
      signal,
      change,
      keepPending,
      idempotencyKey: key === undefined ? undefined : `${key}#${index}`,
    }),
  );
  return { results };
}

async function one(
  deps: RouteDeps,
  request: FastifyRequest,
  value: unknown,
  {
    change,
    ...options
  }: {
    signal: AbortSignal;
    idempotencyKey: string | undefined;
    keepPending: boolean;
    change: (item: IngestJson) => IngestJson;
  },
) {
  try {
    const { source, ...input } = change(checkItem(value));
    const { item } = await ingest(deps, {
      caller: callerOf(request),
      input,
      source: await jsonSource(source),
      ...options,
    });
    return { status: 201, item: present(item, deps.publicBaseUrl) };
  } catch (error) {
    const problem = partProblem(error, request);
    return { status: problem.status, problem };
  }
}

function refuseAll(): never {
  throw new Error('the app has no validator');
}

/** The results keep the order; what dies first is fetched first. */
async function inOrder<R>(
  inputs: readonly unknown[],
  work: (input: unknown, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const next = [...inputs.entries()].toSorted(([, a], [, b]) => deathOf(a) - deathOf(b));
  await workThrough(next, { concurrency: CONCURRENCY }, async ([index, input]) => {
    results[index] = await work(input, index);
  });
  return results;
}

function deathOf(item: unknown): number {
  const { source, provider } = (typeof item === 'object' && item !== null ? item : {}) as Partial<IngestJson>;
  if (source?.type !== 'url' || typeof source.url !== 'string') return Number.MAX_SAFE_INTEGER;
  return (
    urlDiesAt(source.url, { provider: typeof provider === 'string' ? provider : undefined })?.getTime() ??
    Number.MAX_SAFE_INTEGER
  );
}
