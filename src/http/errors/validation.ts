import buildSerializer from '@fastify/fast-json-stringify-compiler';
import type { Ajv, ErrorObject } from 'ajv';
import type { FastifyError, FastifyInstance, FastifySchemaCompiler } from 'fastify';
import type { FastifySerializerCompiler } from 'fastify/types/schema.js';
import type { TSchema } from 'typebox';
import type { AppError } from '../../errors.ts';
import { type Validate, bySchema, validateOnFirstUse } from '../../shapes/on-first-use.ts';
import { createAjv, fromAjv } from '../../shapes/validator.ts';

type Compiler = (schema: object) => Validate;

const compilerOf = (coerceTypes: false | 'array', shared: readonly TSchema[]): Compiler => {
  let ajv: Ajv | undefined;
  return bySchema((schema) =>
    validateOnFirstUse(() => (ajv ??= createAjv(coerceTypes, shared)).compile(schema) as Validate),
  );
};

/**
 * Compiles the schemas of requests, each at its first use. Queries and path parameters are texts and are coerced; JSON bodies must
 * have the right types. Streamed bodies are not validated here: their fields are, once they have been read.
 */
function createValidatorCompiler(shared: readonly TSchema[]): FastifySchemaCompiler<TSchema> {
  const strict = compilerOf(false, shared);
  const coercing = compilerOf('array', shared);
  return ({ schema, httpPart, ...rest }) => {
    const contentType = (rest as { contentType?: string }).contentType;
    if (httpPart === 'body' && contentType !== undefined && contentType !== 'application/json') return () => true;
    return httpPart === 'body' ? strict(schema) : coercing(schema);
  };
}

/** Compiles the schemas of responses, each at its first use. */
function createSerializerCompiler(shared: readonly TSchema[]): FastifySerializerCompiler<object> {
  const named = Object.fromEntries(shared.map((schema) => [(schema as { $id?: string }).$id, schema]));
  const serializerOf = bySchema((schema) => {
    let serialize: ((value: unknown) => string) | undefined;
    return (value: unknown) =>
      (serialize ??= buildSerializer()(named, {})({ schema, method: '', url: '' } as never))(value);
  });
  return ({ schema }) => serializerOf(schema);
}

interface Compilers {
  validator: FastifySchemaCompiler<TSchema>;
  serializer: FastifySerializerCompiler<object>;
}

/** By the number of components: loaded modules only add some. */
const kept = new Map<number, Compilers>();

/** What compiles the schemas of requests and responses. What one app of the process has compiled, another one need not. */
export function schemaCompilers(shared: readonly TSchema[]): Compilers {
  const known = kept.get(shared.length);
  if (known) return known;
  const compilers = { validator: createValidatorCompiler(shared), serializer: createSerializerCompiler(shared) };
  kept.set(shared.length, compilers);
  return compilers;
}

/** Registers shared schemas for references in responses and in the OpenAPI document. */
export function addSchemas(app: FastifyInstance, shared: readonly TSchema[]): void {
  for (const schema of shared) app.addSchema(schema);
}

/** Turns the validator's finding into a sentence that says what to change. */
export function validationError(error: FastifyError): AppError {
  return fromAjv(error.validation?.[0] as ErrorObject | undefined, error.validationContext ?? 'request');
}
