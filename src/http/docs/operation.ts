import { type ApiDocument, type Entry, type Schema, nameOf, resolved } from './document.ts';
import { EXAMPLES } from './examples.ts';
import { type Field, fieldList, fieldsOfParameters, fieldsOfSchema, typeOf } from './fields.ts';
import { type Html, html } from './html.ts';

/** Longer lists of fields are folded where the page has shown the same before. */
const FEW_FIELDS = 8;

const BODY_KINDS: Readonly<Record<string, string>> = { 'application/json': 'JSON', 'multipart/form-data': 'form' };

/** What operations of one page share. */
export interface PageContext {
  document: ApiDocument;
  /** The operation whose example sets a variable, by the variable's name. */
  setters: ReadonlyMap<string, Entry>;
  /** Lists of fields that the page has shown already. */
  shown: Set<string>;
  /** The text of a description. */
  describe: (text: string) => Html;
}

export function operationSection(context: PageContext, entry: Entry): Html {
  const { operationId, method, path, summary, description, parameters = [] } = entry;
  const of = (place: string) => fieldsOfParameters(parameters.filter((parameter) => parameter.in === place));
  return html`<section class="operation" id="${operationId}">
    <h3><a href="#${operationId}">${summary}</a></h3>
    <p class="route"><b>${method}</b> <code>${path}</code> <span>${accessOf(entry)}</span></p>
    <p>${context.describe(description)}</p>
    ${exampleOf(context, entry)} ${bodies(context, entry)} ${foldable(context, 'Path', of('path'))}
    ${foldable(context, 'Query', of('query'))} ${foldable(context, 'Headers', of('header'))}
    ${responseList(context, entry)}
  </section> `;
}

function accessOf({ security }: Entry): string {
  if (security === undefined) return 'token';
  if (security.length === 0) return 'no token';
  return 'token, or none for public items';
}

function exampleOf({ setters }: PageContext, { operationId }: Entry): Html {
  const example = EXAMPLES[operationId] ?? '';
  const needed = variablesUsed(example).filter((name) => setters.has(name) && !variablesSet(example).includes(name));
  return html`<pre><code>${example}</code></pre>
    ${
      needed.length > 0 &&
      html`<p class="needs">
        ${needed.map(
          (name) =>
            html`<code>$${name}</code> comes from
              <a href="#${setters.get(name)?.operationId}">${setters.get(name)?.summary}</a>. `,
        )}
      </p>`
    }`;
}

/** The variables that a command reads, and those that it sets. */
export function variablesUsed(command: string): string[] {
  return [...new Set([...command.matchAll(/\$([A-Z_]+)/g)].map(([, name = '']) => name))];
}
export function variablesSet(command: string): string[] {
  return [...command.matchAll(/^([A-Z_]+)=/gm)].map(([, name = '']) => name);
}

function bodies(context: PageContext, { requestBody }: Entry): Html[] {
  const content = Object.entries(requestBody?.content ?? {});
  const described = content.flatMap(([type, { schema = {} }]) => {
    const fields = essentialFirst(fieldsOfSchema(resolved(context.document, schema)));
    if (fields.length === 0) return [];
    return [foldable(context, `Body: ${BODY_KINDS[type] ?? type}`, fields, nameOf(schema))];
  });
  const raw = content.filter(([, { schema }]) => schema?.format === 'binary').map(([type]) => type);
  const rest = html`<p class="raw">
    <b>Body: raw bytes</b> of type ${raw.map((type, at) => html`${at > 0 && ', '}<code>${type}</code>`)}
  </p>`;
  return raw.length === 0 ? described : [...described, rest];
}

/** What a body must have comes first, then what has alternatives, like the source of an item. */
function essentialFirst(fields: readonly Field[]): Field[] {
  const rank = ({ required, schema }: Field) => (required ? 0 : schema.oneOf ? 1 : 2);
  return fields.toSorted((a, b) => rank(a) - rank(b));
}

/** A list of fields with a heading that folds it. */
function foldable({ shown }: PageContext, title: string, fields: readonly Field[], component?: string): Html {
  if (fields.length === 0) return html``;
  const key = JSON.stringify(fields);
  const open = fields.length <= FEW_FIELDS || !shown.has(key);
  shown.add(key);
  return html`<details ${open && 'open'}>
    <summary>
      <b>${title}</b>
      <small
        >${fields.length}
        ${fields.length === 1 ? 'field' : 'fields'}${component !== undefined && `, ${component}`}</small
      >
    </summary>
    ${fieldList(fields)}
  </details>`;
}

function responseList({ document, describe }: PageContext, { responses }: Entry): Html {
  const statuses = Object.entries(responses).toSorted(([a], [b]) => Number(/^\D/.test(a)) - Number(/^\D/.test(b)));
  return html`<details class="responses">
    <summary>
      <b>Responses</b>
      <small
        >${statuses
          .map(([status]) => status)
          .filter((status) => /^\d+$/.test(status))
          .join(', ')},
        problems</small
      >
    </summary>
    <dl class="fields">
      ${statuses.map(([status, answer]) => {
        const contents = Object.entries(answer.content ?? {});
        const schemas = new Map(
          contents.flatMap(([, { schema }]) => (schema ? [[JSON.stringify(schema), schema]] : [])),
        );
        return html`<div>
          <dt><code>${status}</code> <span>${[...schemas.values()].map((schema) => typeOf(schema))}</span></dt>
          <dd>
            ${describe(
              answer.description,
            )}${contents.length > 0 && html` <small>${contents.map(([type]) => type).join(', ')}</small>`}${
              answer.headers &&
              fieldList(
                Object.entries(answer.headers).map(([name, { description, schema = {} }]) => ({
                  name,
                  schema,
                  required: false,
                  description: description ?? schema.description,
                })),
              )
            }${[...schemas.values()].map((schema) => namesOf(document, schema))}
          </dd>
        </div>`;
      })}
    </dl>
  </details>`;
}

/** The names of a component's fields, on one line. */
function namesOf(document: ApiDocument, schema: Schema): Html {
  const reference = nameOf(schema) === undefined ? (schema.contentSchema ?? schema) : schema;
  const names = Object.keys(resolved(document, reference).properties ?? {});
  const name = nameOf(reference);
  if (names.length === 0 || name === undefined || name === 'Problem') return html``;
  return html`<p class="names">
    ${names.map((field) => html`<code>${field}</code> `)}– <a href="#${name}">what they mean</a>
  </p>`;
}
