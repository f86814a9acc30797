import { ERROR_CODES } from '../../errors.ts';
import { STATUS_OF } from '../errors/statuses.ts';
import { SETUP } from './examples.ts';
import { type Html, html, prose } from './html.ts';

/** Chapters before the operations, for the table of contents: id and title. */
export const CHAPTERS = [
  ['start', 'Start'],
  ['requests', 'Requests and retries'],
  ['paging', 'Paging'],
  ['errors', 'Errors'],
  ['clients', 'Generated clients'],
] as const;

/** What to know before the first request. */
export function introduction(api: string): Html {
  return html`<section id="start">
      <h2>Start</h2>
      <p>
        Every request names its user by a token: <code>Authorization: Bearer</code> and a JWT with <code>sub</code> (the
        user), <code>exp</code> and <code>scope</code>. <code>media:read</code> and <code>media:write</code> are for
        users. <code>media:admin</code> is for a back end that acts for any user; it says for whom with
        <code>userId</code>. <code>npx mediakeep token</code>, in the folder of the service, makes a token that is
        signed with <code>JWT_SECRET</code>.
      </p>
      <p>The examples on this page run as they stand, from top to bottom in one shell. They begin with these lines:</p>
      <pre><code>${SETUP(api)}</code></pre>
      <p>
        For the examples of webhooks, the service is started with
        <code>WEBHOOK_SECRET_RUNPOD=a-secret-for-this-guide</code>.
      </p>
    </section>
    <section id="requests">
      <h2>Requests and retries</h2>
      <p>
        Bodies are JSON, a form, or the bytes of a file; the fields of a raw body go into the query. An unknown field is
        refused, and the answer names the nearest known one. Ids are texts, times are ISO 8601 in UTC.
      </p>
      <p>
        Send an <code>Idempotency-Key</code> with what creates something, and repeat the request when its answer got
        lost: for 24 hours the same key and content return the same item. The same key with other content is 422
        <code>idempotency_mismatch</code>.
      </p>
    </section>
    <section id="paging">
      <h2>Paging</h2>
      <p>
        A listing returns up to <code>limit</code> entries and <code>nextCursor</code>. Send that back as
        <code>cursor</code>, with the same filters, until <code>nextCursor</code> is null. Nothing is skipped or
        repeated when items arrive in between.
      </p>
    </section>
    <section id="errors">
      <h2>Errors</h2>
      <p>
        Every error is a problem document (RFC 9457, <code>application/problem+json</code>). Decide by
        <code>code</code>: it is stable. <code>detail</code> says what to change in this request,
        <code>field</code> which part is meant, and the service's log has more under <code>requestId</code>. Statuses
        429 and 503 have <code>Retry-After</code>. docs/errors.md of the repository says what to do about each code.
      </p>
      <details>
        <summary><b>All codes</b> <small>${Object.keys(ERROR_CODES).length}</small></summary>
        <dl class="fields">
          ${Object.entries(ERROR_CODES).map(
            ([code, meaning]) =>
              html`<div>
                <dt><code>${code}</code> <span>${STATUS_OF[code as keyof typeof STATUS_OF]}</span></dt>
                <dd>${prose(meaning)}</dd>
              </div>`,
          )}
        </dl>
      </details>
    </section>
    <section id="clients">
      <h2>Generated clients</h2>
      <p>
        The whole API is described by the OpenAPI 3.1 document at <a href="${api}/openapi.json">/openapi.json</a>, and
        as YAML at <a href="${api}/docs/yaml">/docs/yaml</a>. Give that address to a generator: openapi-typescript,
        hey-api and orval are tested. Where a route takes several kinds of bodies, its siblings that end in
        <code>/form</code> and <code>/bytes</code> take one, because generators know one body for each operation.
      </p>
    </section> `;
}
