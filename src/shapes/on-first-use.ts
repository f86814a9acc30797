import type { ErrorObject } from 'ajv';

/** A validator, as Ajv makes it and Fastify calls it. */
export interface Validate {
  (value: unknown): boolean;
  errors?: ErrorObject[] | null | undefined;
}

/** Compiles at the first call: a process uses few of its schemas, and compiling them all took a third of its start. */
export function validateOnFirstUse(compile: () => Validate): Validate {
  let compiled: Validate | undefined;
  const validate: Validate = (value) => {
    compiled ??= compile();
    const valid = compiled(value);
    validate.errors = compiled.errors;
    return valid;
  };
  return validate;
}

/** Remembers what `make` returned for each schema, by the schema's text. */
export function bySchema<T>(make: (schema: object) => T): (schema: object) => T {
  const made = new Map<string, T>();
  return (schema) => {
    const text = JSON.stringify(schema);
    const known = made.get(text);
    if (known !== undefined) return known;
    const result = make(schema);
    made.set(text, result);
    return result;
  };
}
