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
      return unknownField(
        String(problem.params['additionalProperty']),
        Object.keys(fieldsOf(problem.parentSchema)),
        inner,
      );
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
      // A list where a text is expected is, in a query or form, one that was sent twice.
      return new AppError(
        'invalid_request',
        context !== 'body' && context !== 'item' && isRepeated(problem)
          ? `${subject} is given more than once; give it once.`
          : `${subject} ${wanted(problem)}.`,
        { field: path },
      );
  }
}

/** The error about a field that is not known, with the names that it may be. */
export function unknownField(
  name: string,
  known: readonly string[],
  inner: (name: string) => string = String,
): AppError {
  const field = inner(name);
  const near = nearest(name, known);
  const hint =
    near !== undefined
      ? `did you mean '${inner(near)}'?`
      : known.length === 0
        ? 'nothing is taken here.'
        : known.length <= MAX_LISTED
          ? `known are: ${known.join(', ')}.`
          : 'check its spelling.';
  return new AppError('invalid_request', `'${field}' is not a known field here; ${hint}`, { field });
}
const MAX_LISTED = 12;

function isRepeated({ keyword, params, data }: ErrorObject): boolean {
  return keyword === 'type' && Array.isArray(data) && !typesOf(params).includes('array');
}

function typesOf(params: Record<string, unknown>): string[] {
  return [params['type'] as string | string[]].flat();
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  null: 'null',
};
const FORMATS: Readonly<Record<string, string>> = {
  uuid: 'a UUID like 123e4567-e89b-42d3-a456-426614174000',
  'date-time': 'a time like 2026-01-31T12:00:00Z',
  uri: 'a URL like https://example.com/image.png',
};
const PATTERNS: Readonly<Record<string, string>> = {
  '^[0-9A-Fa-f]{64}$': 'a SHA-256: 64 hexadecimal digits',
  '^[1-9][0-9]{0,18}$': 'digits alone, like 42',
  '^https?://[^\\s\\\\]+$': 'an http or https URL without spaces',
  '^[a-z0-9][a-z0-9._-]{0,63}$':
    "1 to 64 lower-case letters, digits, '.', '_' and '-', beginning with a letter or digit",
};

/** What a value has to be, as the end of a sentence. */
function wanted({ keyword, params, message, schema, parentSchema }: ErrorObject): string {
  const limit = Number(params['limit'] ?? schema);
  const many = (unit: string) => `${limit} ${limit === 1 ? unit : `${unit}s`}`;
  switch (keyword) {
    case 'type':
      return `must be ${typesOf(params)
        .map((type) => TYPES[type] ?? type)
        .join(' or ')}`;
    case 'minimum':
      return `must be at least ${limit}`;
    case 'maximum':
      return `must be at most ${limit}`;
    case 'exclusiveMinimum':
      return `must be more than ${limit}`;
    case 'exclusiveMaximum':
      return `must be less than ${limit}`;
    case 'minLength':
      return limit === 1 ? 'must not be empty' : `must have at least ${many('character')}`;
    case 'maxLength':
      return `must have at most ${many('character')}`;
    case 'minItems':
      return `must have at least ${limit === 1 ? 'one entry' : `${limit} entries`}`;
    case 'maxItems':
      return `must have at most ${limit === 1 ? 'one entry' : `${limit} entries`}`;
    case 'minProperties':
      return `must have at least one of: ${Object.keys(fieldsOf(parentSchema)).join(', ')}`;
    case 'uniqueItems':
      return 'must not name anything twice';
    case 'format':
      return `must be ${FORMATS[String(params['format'])] ?? `a ${String(params['format'])}`}`;
    case 'pattern':
      return `must be ${PATTERNS[String(params['pattern'])] ?? `of the form ${String(params['pattern'])}`}`;
    default:
      return message ?? 'is not valid';
  }
}
