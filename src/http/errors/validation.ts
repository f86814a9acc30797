import type { ErrorObject } from 'ajv';
import type { FastifyError, FastifyInstance, FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import type { AppError } from '../../errors.ts';
import { createAjv, fromAjv } from '../../shapes/validator.ts';

/**
 * Compiles the schemas of requests. Queries and path parameters are texts and are coerced; JSON bodies must have the right types.
 * Streamed bodies are not validated here: their fields are, once they have been read.
 */
export function createValidatorCompiler(shared: readonly TSchema[]): FastifySchemaCompiler<TSchema> {
  const strict = createAjv(false);
  const coercing = createAjv('array');
  for (const ajv of [strict, coercing]) {
    for (const schema of shared) ajv.addSchema(schema);
  }
  return ({ schema, httpPart, ...rest }) => {
    const contentType = (rest as { contentType?: string }).contentType;
    if (httpPart === 'body' && contentType !== undefined && contentType !== 'application/json') return () => true;
    return (httpPart === 'body' ? strict : coercing).compile(schema);
  };
}

/** Registers shared schemas for references in responses and in the OpenAPI document. */
export function addSchemas(app: FastifyInstance, shared: readonly TSchema[]): void {
  for (const schema of shared) app.addSchema(schema);
}

/** Turns the validator's finding into a sentence that says what to change. */
export function validationError(error: FastifyError): AppError {
  return fromAjv(error.validation?.[0] as ErrorObject | undefined, error.validationContext ?? 'request');
}
