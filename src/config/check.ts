import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { TObject, TSchema } from 'typebox';
import { shownValue } from './shown-value.ts';

/** Splits a list at its commas; empty words are dropped. */
export function words(list: string | undefined): string[] {
  return (list ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter(Boolean);
}

const validators = new WeakMap<TObject, ValidateFunction>();

function validatorOf(schema: TObject): ValidateFunction {
  const known = validators.get(schema);
  if (known) return known;
  const ajv = new Ajv({ allErrors: true, coerceTypes: true, useDefaults: true, strict: false });
  const validate = ajv.compile(schema);
  validators.set(schema, validate);
  return validate;
}

/**
 * Checks settings: converts their text to the schema's types and fills in defaults.
 * @param schema its property names are environment variables, without `prefix`
 * @param values the environment
 * @param problems gets one line for each wrong or missing setting. The answer must not be used then.
 */
export function check<T>(
  schema: TObject,
  values: Readonly<Record<string, string>>,
  prefix: string,
  problems: string[],
): T {
  const given: Record<string, unknown> = {};
  for (const name of Object.keys(schema.properties)) {
    const value = values[prefix + name];
    if (value !== undefined) given[name] = typeof value === 'string' ? value.trim() : value;
  }
  const settings = { ...given };
  const validate = validatorOf(schema) as ValidateFunction<T>;
  if (validate(settings)) return settings;
  for (const problem of validate.errors ?? []) describe(problem, schema, given, prefix, problems);
  return given as T;
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
  const value = property?.secret ? 'the value' : shown(data[name]);
  const allowed = property?.allowed ?? allowedValues(error);
  const line = missing
    ? `${prefix}${name} is missing: ${property?.description ?? 'it is required'}`
    : `${prefix}${name}: ${value} is not usable; allowed: ${allowed}`;
  if (!problems.includes(line)) problems.push(line);
}

function shown(value: unknown): string {
  return JSON.stringify(typeof value === 'string' ? shownValue(value) : value);
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
