import { Ajv, type ErrorObject } from 'ajv';
import ajvFormats from 'ajv-formats';
import type { TSchema } from 'typebox';
import { AppError } from '../errors.ts';
import { NULL_IS, NULL_IS_ABSENT, components } from './common.ts';
import { nearest } from './nearest-name.ts';
import { type Validate, validateOnFirstUse } from './on-first-use.ts';

const OPTIONS = {
  useDefaults: true,
  removeAdditional: false,
  allErrors: false,
  strict: false,
  discriminator: true,
  // Errors carry the schema, whose field names are suggested.
  verbose: true,
} as const;

/**
 * A validator whose length limits are cheap on long texts: Ajv itself counts the characters of a text of 64 MiB to learn that it
 * has at least one. Schemas may refer to those in `shared`.
 */
export function createAjv(coerceTypes: boolean | 'array', shared: readonly TSchema[] = []): Ajv {
  const ajv = new Ajv({ ...OPTIONS, coerceTypes });
  ajvFormats.default(ajv);
  for (const [keyword, fits, limit] of [
    ['maxLength', (length: number, most: number) => length <= most, 'more'],
    ['minLength', (length: number, least: number) => length >= least, 'fewer'],
  ] as const) {
    ajv.removeKeyword(keyword);
    ajv.addKeyword({
      keyword,
      type: 'string',
      schemaType: 'number',
      errors: true,
      error: { message: ({ schema }) => `must NOT have ${limit} than ${String(schema)} characters` },
      compile: (bound: number) => (text: string) => fits(lengthUpTo(text, bound), bound),
    });
  }
  ajv.addKeyword({
    keyword: NULL_IS_ABSENT,
    type: 'object',
    schemaType: 'array',
    before: 'properties',
    modifying: true,
    errors: false,
    compile: (names: string[]) => (value: Record<string, unknown>) => {
      for (const name of names) if (value[name] === null) delete value[name];
      return true;
    },
  });
  ajv.addKeyword({
    keyword: NULL_IS,
    type: 'object',
    schemaType: 'object',
    before: 'properties',
    modifying: true,
    errors: false,
    compile: (meant: Record<string, unknown>) => (value: Record<string, unknown>) => {
      for (const [name, instead] of Object.entries(meant))
        if (value[name] === null) value[name] = structuredClone(instead);
      return true;
    },
  });
  for (const schema of shared) ajv.addSchema(schema);
  return ajv;
}

/** Characters of a text; for one certainly longer than `bound`, some number above it. */
function lengthUpTo(text: string, bound: number): number {
  // A character takes at most two units of UTF-16.
  if (text.length > 2 * bound + 2) return text.length / 2;
  let length = 0;
  for (const _character of text) length += 1;
  return length;
}

/** Validates and coerces fields given as texts (multipart, query of a raw body). @throws AppError invalid_request */
export function createFieldCheck<T>(schema: TSchema): (fields: Record<string, unknown>) => T {
  const validate = validateOnFirstUse(() => createAjv('array').compile(schema) as Validate);
  return (fields) => {
    const copy = { ...fields };
    if (validate(copy)) return copy as T;
    throw fromAjv(validate.errors?.[0], 'field');
  };
}

/** Validates a JSON value without coercion; the schema may refer to named ones. @throws AppError invalid_request */
export function createJsonCheck<T>(schema: TSchema): (value: unknown) => T {
  const validate = validateOnFirstUse(() => createAjv(false, components()).compile(schema) as Validate);
  return (value) => {
    if (validate(value)) return value as T;
    throw fromAjv(validate.errors?.[0], 'item');
  };
}

function fieldsOf(schema: unknown): object {
  return (schema as { properties?: object } | undefined)?.properties ?? {};
}

/** A sentence that says what to change. */
export function fromAjv(problem: ErrorObject | undefined, context: string): AppError {
  if (!problem) return new AppError('invalid_request', 'The request does not have the documented shape.');
  const path = problem.instancePath.slice(1).replaceAll('/', '.');
  const inner = (name: unknown) => (path === '' ? String(name) : `${path}.${String(name)}`);
  const subject = path === '' ? `the ${context === 'querystring' ? 'query' : context}` : `'${path}'`;
  switch (problem.keyword) {
    case 'additionalProperties': {
      const field = inner(problem.params['additionalProperty']);
      const near = nearest(String(problem.params['additionalProperty']), Object.keys(fieldsOf(problem.parentSchema)));
      const hint = near === undefined ? 'check its spelling.' : `did you mean '${inner(near)}'?`;
      return new AppError('invalid_request', `'${field}' is not a known field here; ${hint}`, { field });
    }
    case 'required': {
      const field = inner(problem.params['missingProperty']);
      return new AppError('invalid_request', `'${field}' is missing.`, { field });
    }
    case 'enum':
      return new AppError(
        'invalid_request',
        `${subject} must be one of: ${(problem.params['allowedValues'] as unknown[]).join(', ')}.`,
        { field: path },
      );
    case 'discriminator':
      return new AppError(
        'invalid_request',
        `'${inner('type')}' must be one of: base64, url, object, external; in a run also comfyui.`,
        {
          field: inner('type'),
        },
      );
    default:
      return new AppError('invalid_request', `${subject} ${problem.message ?? 'is not valid'}.`, { field: path });
  }
}
