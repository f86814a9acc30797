import { Ajv, type ErrorObject } from 'ajv';
import { envSchema } from 'env-schema';
import type { TObject, TSchema } from 'typebox';

/** The words of a list with commas. */
export function words(list: string | undefined): string[] {
  return (list ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter(Boolean);
}

/** Validates `values` against a schema whose property names, behind `prefix`, are environment variables. */
export function check<T>(
  schema: TObject,
  values: Readonly<Record<string, string>>,
  prefix: string,
  problems: string[],
): T {
  const data: Record<string, unknown> = {};
  for (const name of Object.keys(schema.properties)) {
    const value = values[prefix + name];
    if (value !== undefined) data[name] = typeof value === 'string' ? value.trim() : value;
  }
  const ajv = new Ajv({ allErrors: true, coerceTypes: true, useDefaults: true, removeAdditional: true, strict: false });
  try {
    return envSchema<T & Record<string, unknown>>({
      schema: { ...schema },
      data,
      env: false,
      ajv,
    });
  } catch (error) {
    const errors = (error as { errors?: ErrorObject[] }).errors;
    if (!errors) throw error;
    for (const problem of errors) describe(problem, schema, data, prefix, problems);
    // Never used: a problem has been noted, so loadConfig throws in the end.
    return data as T;
  }
}

function describe(
  error: ErrorObject,
  schema: TObject,
  data: Record<string, unknown>,
  prefix: string,
  problems: string[],
): void {
  if (error.keyword === 'anyOf') return;
  const missing = error.keyword === 'required' ? String(error.params['missingProperty']) : undefined;
  const name = missing ?? error.instancePath.slice(1).split('/')[0] ?? '';
  const property = (
    schema.properties as Record<string, TSchema & { description?: string; secret?: boolean; allowed?: string }>
  )[name];
  const shown = property?.secret ? 'the value' : JSON.stringify(data[name]);
  const allowed = property?.allowed ?? allowedValues(error);
  const line = missing
    ? `${prefix}${name} is missing: ${property?.description ?? 'it is required'}`
    : `${prefix}${name}: ${shown} is not usable; allowed: ${allowed}`;
  if (!problems.includes(line)) problems.push(line);
}

function allowedValues(error: ErrorObject): string {
  if (error.keyword === 'enum') return (error.params['allowedValues'] as unknown[]).join(', ');
  if (error.keyword === 'minimum' || error.keyword === 'maximum')
    return `a number ${error.params['comparison']} ${error.params['limit']}`;
  if (error.keyword === 'type')
    return error.params['type'] === 'integer' ? 'a whole number' : `a ${error.params['type']}`;
  if (error.keyword === 'minLength') return `at least ${error.params['limit']} characters`;
  return error.message ?? 'see docs/configuration.md';
}
