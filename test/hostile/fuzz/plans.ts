import fc from 'fast-check';
import { type Body, type Manner, bodyFor } from './bodies.ts';
import type { ApiDocument, Operation, Parameter } from './document.ts';
import { hostileText, hostileValue } from './hostile-values.ts';
import { fitting, sometimes } from './schema-values.ts';
import { Link, Raw } from './wire.ts';

export type CallerName = 'alice' | 'bob' | 'admin' | 'reader' | 'nobody' | 'forged';

/** A request before values of earlier responses are filled in. */
export interface Plan {
  operation: Operation;
  manner: Manner;
  caller: CallerName;
  path: Record<string, unknown>;
  query: [string, unknown][];
  headers: [string, unknown][];
  body: Body;
  /** Whether a webhook has the right secret or signature. */
  proven: boolean;
}

/** Operations that create are requested more often than those on singletons. */
const WEIGHTS: Readonly<Record<string, number>> = {
  createMedia: 6,
  createUpload: 3,
  putUploadContent: 4,
  completeUpload: 3,
  createRun: 3,
  addRunMedia: 4,
  createSceneVersion: 4,
  importAnswer: 3,
  registerJob: 3,
  receiveWebhook: 4,
  searchMedia: 4,
  createSignedUrl: 2,
  getSigned: 2,
  getMediaContent: 2,
  updateMedia: 3,
};

/** Path parameters that mean something else on some paths. */
function linkOf(path: string, name: string): string | undefined {
  if (name === 'id' && path.startsWith('/v1/uploads/')) return 'upload';
  if (name === 'id' && path.startsWith('/v1/webhook-deliveries/')) return 'delivery';
  if (name === 'token') return path.startsWith('/v1/uploads/') ? 'uploadToken' : 'signed';
  if (name === 'imageId') return 'item';
  if (name === 'runId') return 'run';
  return undefined;
}

const HEADERS: fc.Arbitrary<[string, unknown]> = fc.oneof(
  fc.tuple(
    fc.constant('range'),
    fc.constantFrom(
      'bytes=0-3',
      'bytes=-5',
      'bytes=5-1',
      'bytes=99999-',
      'items=1-2',
      `bytes=${'0-0,'.repeat(500)}1-1`,
    ),
  ),
  fc.tuple(fc.constant('if-none-match'), fc.constantFrom('*', '"x"', 'W/"x"', '"', ',,,')),
  fc.tuple(fc.constant('if-range'), fc.constantFrom('"x"', 'W/"x"', 'Wed, 21 Oct 2026 07:28:00 GMT', '"')),
  fc.tuple(fc.constant('if-modified-since'), fc.constantFrom('0', 'Wed, 21 Oct 2099 07:28:00 GMT')),
  fc.tuple(fc.constant('content-digest'), fc.constantFrom('sha-256=:AAAA:', 'md5=:x:', 'sha-256=', '=', ',')),
  fc.tuple(fc.constant('accept'), fc.constantFrom('*/*', 'text/html', '', ';;;')),
  fc.tuple(fc.constant('content-encoding'), fc.constantFrom('gzip', 'identity', 'x')),
  fc.tuple(fc.constant('x-forwarded-for'), fc.constantFrom('1.2.3.4', '::1', 'x', ','.repeat(2000))),
  fc.tuple(fc.constant('x-request-id'), fc.constantFrom('id-1', 'a b', 'x'.repeat(3000))),
  fc.tuple(fc.constant('idempotency-key'), fc.constantFrom('k1', 'k2', 'a b', '', 'x'.repeat(300))),
  fc.tuple(fc.constant('origin'), fc.constantFrom('https://app.example.com', 'null')),
  fc.tuple(fc.constantFrom('__proto__', 'constructor', 'x-http-method-override'), fc.constant('DELETE')),
);

/** Percentage of requests with an optional parameter. A service must name the user; a matching digest would be luck. */
function oftenOf(name: string): number {
  if (name === 'userId') return 60;
  return name === 'content-digest' ? 1 : 12;
}

function parametersFor(document: ApiDocument, operation: Operation, manner: Manner) {
  const valueOf = ({ in: place, name, schema }: Parameter): fc.Arbitrary<unknown> => {
    const kind = linkOf(operation.path, name);
    const fits =
      kind === undefined || !(place === 'path' || name === 'token')
        ? fitting(document, schema, name)
        : fc.nat(1_000_000).map((pick) => new Link(kind, pick));
    if (manner === 'fitting') return fits;
    const strange = fc.oneof(
      hostileText,
      hostileText.map((text) => new Raw(text)),
      hostileValue,
    );
    return fc.oneof({ weight: manner === 'near' ? 5 : 1, arbitrary: fits }, { weight: 1, arbitrary: strange });
  };
  const named = (parameter: Parameter) =>
    (parameter.required === true ? valueOf(parameter) : sometimes(valueOf(parameter), oftenOf(parameter.name))).map(
      (value): [string, unknown][] => (value === undefined ? [] : [[parameter.name, value]]),
    );
  const all = (place: Parameter['in']) =>
    fc
      .tuple(...operation.parameters.filter((parameter) => parameter.in === place).map(named))
      .map((found) => found.flat());
  return {
    path: all('path').map((entries) => Object.fromEntries(entries)),
    query: all('query'),
    header: all('header'),
  };
}

function planFor(document: ApiDocument, operation: Operation, manner: Manner): fc.Arbitrary<Plan> {
  const { path, query, header } = parametersFor(document, operation, manner);
  const extra = manner === 'fitting' ? fc.constant([]) : fc.array(fc.tuple(hostileText, hostileText), { maxLength: 1 });
  // Fields in the query go only with a raw body.
  const ingest = operation.bodies['multipart/form-data'] !== undefined;
  return fc
    .record({
      path,
      query: fc.tuple(query, extra).map(([known, more]): [string, unknown][] => [...known, ...more]),
      headers: fc
        .tuple(header, sometimes(HEADERS, manner === 'fitting' ? 8 : 30))
        .map(([known, more]) => (more ? [...known, more] : known)),
      body: bodyFor(document, operation.id, operation.bodies, manner),
      caller: fc.oneof(
        { weight: 5, arbitrary: fc.constant<CallerName>('alice') },
        { weight: 3, arbitrary: fc.constant<CallerName>('bob') },
        { weight: 4, arbitrary: fc.constant<CallerName>('admin') },
        { weight: 1, arbitrary: fc.constantFrom<CallerName>('reader', 'nobody', 'forged') },
      ),
      proven: fc.constantFrom(true, true, true, false),
    })
    .map((plan) => ({
      operation,
      manner,
      ...plan,
      query: ingest && manner === 'fitting' && plan.body.form !== 'bytes' ? [] : plan.query,
    }));
}

/** Requests of all operations of the document. */
export function plansOf(document: ApiDocument): fc.Arbitrary<Plan> {
  return fc.oneof(
    ...document.operations.map((operation) => ({
      weight: WEIGHTS[operation.id] ?? 1,
      arbitrary: fc.oneof(
        { weight: 5, arbitrary: planFor(document, operation, 'fitting') },
        { weight: 4, arbitrary: planFor(document, operation, 'near') },
        { weight: 1, arbitrary: planFor(document, operation, 'hostile') },
      ),
    })),
  );
}

/** Requests of one operation that fit its description. */
export function fittingPlansOf(document: ApiDocument, operation: Operation): fc.Arbitrary<Plan> {
  return planFor(document, operation, 'fitting');
}
