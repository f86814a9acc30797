import type { Parameter, Schema } from './document.ts';
import { nameOf } from './document.ts';
import { type Html, html, prose } from './html.ts';

/** A field as a row: of a body, a query, a path, headers or a response. */
export interface Field {
  name: string;
  schema: Schema;
  required: boolean;
  description?: string | undefined;
  example?: unknown;
}

export function fieldsOfSchema({ properties = {}, required = [] }: Schema): Field[] {
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    schema,
    required: required.includes(name),
    description: schema.description,
    example: schema.examples?.[0],
  }));
}

export function fieldsOfParameters(parameters: readonly Parameter[]): Field[] {
  return parameters.map(({ name, schema, required = false, description, example }) => ({
    name,
    schema,
    required,
    description: description ?? schema.description,
    example: example ?? schema.examples?.[0],
  }));
}

/** A list of fields. `marked` is what stands beside a name: responses have most of their fields always, requests few. */
export function fieldList(fields: readonly Field[], marked: 'required' | 'optional' = 'required'): Html {
  return html`<dl class="fields">${fields.map((field) => row(field, marked))}</dl>`;
}

function row({ name, schema, required, description, example }: Field, marked: 'required' | 'optional'): Html {
  const limits = limitsOf(schema);
  const isMarked = required === (marked === 'required');
  return html`<div>
    <dt><code>${name}</code> <span>${typeOf(schema)}</span>${isMarked && html` <b>${marked}</b>`}</dt>
    <dd>
      ${
        description !== undefined && prose(description)
      }${limits.length > 0 && html` <small>${capital(limits.join(', '))}.</small>`}${
        schema.default !== undefined && html` <small>Default <code>${shown(schema.default)}</code>.</small>`
      }${example !== undefined && html` <small>Example <code>${shown(example)}</code></small>`}${
        schema.properties !== undefined &&
        Object.keys(schema.properties).length > 0 &&
        fieldList(fieldsOfSchema(schema), marked)
      }
    </dd>
  </div>`;
}

/** The type of a value, with a link to a component. */
export function typeOf(schema: Schema): Html {
  const name = nameOf(schema);
  if (name !== undefined) return html`<a href="#${name}">${name}</a>`;
  if (schema.oneOf) return joined(schema.oneOf.map((one) => typeOf(one)));
  if (schema.enum) return joined(schema.enum.map((value) => html`<code>${shown(value)}</code>`));
  if (schema.const !== undefined) return html`<code>${shown(schema.const)}</code>`;
  const types = [schema.type ?? 'any'].flat();
  if (types.includes('array') && schema.items) return html`array of ${typeOf(schema.items)}`;
  return html`${types.join(' or ')}${schema.format !== undefined && html` (${schema.format})`}`;
}

const joined = (parts: readonly Html[]): Html => html`${parts.map((part, at) => html`${at > 0 && ' or '}${part}`)}`;

function shown(value: unknown): string {
  return typeof value === 'string' && value !== '' ? value : JSON.stringify(value);
}

/** What a value may be, in words. */
export function limitsOf(schema: Schema): string[] {
  const limits = [
    span(schema.minLength, schema.maxLength, 'characters'),
    span(schema.minimum, schema.maximum, ''),
    span(schema.minItems, schema.maxItems, 'entries'),
    span(schema.minProperties, undefined, 'fields'),
    schema.pattern !== undefined && `matches ${schema.pattern}`,
    schema.items && !nameOf(schema.items) && limitsOf(schema.items).map((limit) => `each ${limit}`),
  ];
  return limits.flat().filter((limit) => typeof limit === 'string');
}

function span(least: number | undefined, most: number | undefined, unit: string): string | undefined {
  const [from, to] = [least?.toLocaleString('en'), most?.toLocaleString('en')];
  if (from === undefined && to === undefined) return undefined;
  const words = from === undefined ? `at most ${to}` : to === undefined ? `at least ${from}` : `${from} to ${to}`;
  return `${words} ${unit}`.trim();
}

const capital = (text: string): string => `${text[0]?.toUpperCase()}${text.slice(1)}`;
