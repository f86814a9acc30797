import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { importOrPrompt } from '../../domain/jobs/comfyui.ts';
import { BEST_EFFORT, IMPORT_PROVIDERS } from '../../sources/providers/registry.ts';
import { AppError } from '../../errors.ts';
import { abortSignal } from '../connections/abort-signal.ts';
import { callerOf } from '../auth/auth.ts';
import { idempotencyKey } from '../requests/ingest-request.ts';
import { present } from '../responses/present.ts';
import type { RouteDeps } from '../route-deps.ts';
import { IDEMPOTENCY_KEY, problems, ref } from '../../shapes/common.ts';
import { ImportRequest, importedResponse, promptResponse } from '../schemas/imports.ts';

const BEST_EFFORT_NAMES = new Intl.ListFormat('en-GB').format(BEST_EFFORT.map((name) => `\`${name}\``));

/** Stores all outputs of a provider's answer. */
export function importRoutes(instance: FastifyInstance, deps: RouteDeps): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();

  app.route({
    method: 'POST',
    url: '/v1/import/:provider',
    config: { access: 'media:write', body: 'provider-json' },
    schema: {
      operationId: 'importAnswer',
      tags: ['Import'],
      summary: "Store a provider's answer",
      description: `Stores every output of an answer as it came from the provider: bytes, data URIs and URLs that die within the hour. Prompt, model, seed, timings, tokens and cost are kept in \`generation\`; fields of the request count more than what the answer says. An answer with an id is stored once, however often it is sent within a day. ${BEST_EFFORT_NAMES} are understood as a best effort. Of ComfyUI itself, what \`POST /prompt\` or \`GET /history/{id}\` answers is taken, or \`{promptId}\`: all outputs of the prompt are fetched from COMFYUI_URL, by a worker when it has not ended (202 with a job).`,
      params: Type.Object({
        provider: Type.Enum([...IMPORT_PROVIDERS], { description: 'Whose answer it is.', examples: ['openai'] }),
      }),
      headers: Type.Object({ 'idempotency-key': IDEMPOTENCY_KEY }),
      body: ref(ImportRequest),
      response: { 201: importedResponse, 202: promptResponse, ...problems },
    },
    handler: async (request, reply) => {
      const { response, ...input } = request.body;
      if (typeof response !== 'object' || response === null)
        throw new AppError('invalid_request', "'response' must be the provider's answer: an object or a list.", {
          field: 'response',
        });
      const {
        items,
        job,
        ignored = [],
      } = await importOrPrompt(deps, {
        caller: callerOf(request),
        provider: request.params.provider,
        input,
        response,
        idempotencyKey: idempotencyKey(request),
        signal: abortSignal(request, reply),
      });
      return reply
        .code(job ? 202 : 201)
        .send({ items: items.map((item) => present(item, deps.publicBaseUrl)), ignored, ...(job && { job }) });
    },
  });
}
