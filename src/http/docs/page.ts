import { createHash } from 'node:crypto';
import { type ApiDocument, type Group, type Schema, groupsOf } from './document.ts';
import { EXAMPLES } from './examples.ts';
import { fieldList, fieldsOfSchema } from './fields.ts';
import { type Html, html, prose, verbatim } from './html.ts';
import { CHAPTERS, introduction } from './introduction.ts';
import { type PageContext, operationSection, variablesSet } from './operation.ts';
import { STYLE } from './style.ts';

const STYLE_ELEMENT = verbatim(`<style>${STYLE}</style>`);
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** Allows the page its stylesheet, by hash, and nothing else. */
export const PAGE_POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** The reference of the API as one HTML page without scripts. */
export function referencePage(document: ApiDocument): string {
  const groups = groupsOf(document);
  const entries = groups.flatMap((group) => group.entries);
  const byRoute = new Map(entries.map((entry) => [`${entry.method} ${entry.path}`, entry.operationId]));
  const setters = new Map(
    entries.flatMap((entry) => variablesSet(EXAMPLES[entry.operationId] ?? '').map((name) => [name, entry] as const)),
  );
  const describe = (text: string) =>
    prose(text, (code) => {
      const target = byRoute.get(code.split('?', 1)[0] ?? '');
      return target === undefined ? html`<code>${code}</code>` : html`<a href="#${target}"><code>${code}</code></a>`;
    });
  const context: PageContext = { document, setters, shown: new Set(), describe };
  const { title, version, description } = document.info;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} API</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        <div class="page">
          ${contents(groups)}
          <main>
            <h1>${title} API <span class="quiet">${version}</span></h1>
            <p>${prose(description)}</p>
            ${introduction(document.servers[0]?.url ?? '')} ${groups.map((group) => groupSection(context, group))}
            <section id="schemas">
              <h2>Schemas</h2>
              <p>The named objects that requests and responses are made of.</p>
              ${Object.entries(document.components.schemas).map(([name, schema]) => schemaSection(name, schema))}
            </section>
          </main>
        </div>
      </body>
    </html> `.text;
}

function contents(groups: readonly Group[]): Html {
  return html`<nav aria-label="Contents">
    <ul>
      ${CHAPTERS.map(([id, title]) => html`<li><a href="#${id}">${title}</a></li>`)}
      ${groups.map(
        ({ name, entries }) =>
          html`<li>
            <a href="#${anchorOf(name)}"><b>${name}</b></a>
            <ul>
              ${entries.map(({ operationId, summary }) => html`<li><a href="#${operationId}">${summary}</a></li>`)}
            </ul>
          </li>`,
      )}
      <li>
        <a href="#schemas"><b>Schemas</b></a>
      </li>
    </ul>
  </nav>`;
}

function groupSection(context: PageContext, { name, description, entries }: Group): Html {
  return html`<section id="${anchorOf(name)}">
    <h2>${name}</h2>
    <p>${prose(description)}</p>
    <ul class="index">
      ${entries.map(
        ({ operationId, summary, method, path }) =>
          html`<li><a href="#${operationId}">${summary}</a> <code>${method} ${path}</code></li>`,
      )}
    </ul>
    ${entries.map((entry) => operationSection(context, entry))}
  </section> `;
}

const anchorOf = (group: string) => `group-${group.toLowerCase()}`;

function schemaSection(name: string, schema: Schema): Html {
  const fields = fieldsOfSchema(schema);
  // Requests refuse unknown fields; responses may get more.
  const isClosed = schema.additionalProperties === false;
  return html`<section class="schema" id="${name}">
    <h3><a href="#${name}">${name}</a></h3>
    ${schema.description !== undefined && html`<p>${prose(schema.description)}</p>`}${
      fields.length > 0 &&
      html`<details>
        <summary><b>Fields</b> <small>${fields.length}</small></summary>
        ${fieldList(fields, isClosed ? 'required' : 'optional')}
      </details>`
    }
  </section> `;
}
