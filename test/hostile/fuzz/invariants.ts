import { ERROR_CODES } from '../../../src/errors.ts';
import { STATUS_OF } from '../../../src/http/errors/statuses.ts';
import type { ApiDocument } from './document.ts';
import type { Answered } from './exchange.ts';
import type { Plan } from './plans.ts';

/** Operations whose responses contain tokens. */
const SIGNING = new Set(['createSignedUrl', 'createSignedUrls', 'createUpload']);

export interface Secrets {
  /** In no response at all. */
  always: readonly string[];
  /** Only in those of `SIGNING`. */
  tokens: ReadonlySet<string>;
}

/** The violations of a response; none: an empty list. */
export function complaints(document: ApiDocument, plan: Plan, answer: Answered, secrets: Secrets): string[] {
  return [
    ...aboutStatus(document, plan, answer),
    ...(answer.status >= 400 ? aboutProblem(plan, answer) : []),
    ...aboutSecrets(plan, answer, secrets),
    ...aboutOwners(plan, answer),
  ];
}

const typeOf = ({ headers }: Answered) => (headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';

function aboutStatus(document: ApiDocument, { operation }: Plan, answer: Answered): string[] {
  const { status } = answer;
  const documented = document.answerFor(operation, status);
  if (!documented) return [`status ${status} is not documented`];
  const content = documented.content ?? {};
  const type = typeOf(answer);
  if (answer.body.length === 0) return status >= 400 ? ['a failure without a body'] : [];
  if (Object.keys(content).length === 0) return [`status ${status} has a body that is not documented`];
  const media = content[type];
  // The document lists only some media types.
  if (!media && !(content['image/png'] && /^(image|audio|video|model)\//.test(type)))
    return [`status ${status} has the content type '${type}', which is not documented`];
  if (!media?.schema || !type.endsWith('json')) return [];
  let value: unknown;
  try {
    value = JSON.parse(answer.body.toString());
  } catch {
    return ['the answer is not JSON'];
  }
  const complaint = document.complaint(media.schema, value);
  return complaint === undefined ? [] : [`the answer does not fit its schema: ${complaint}`];
}

function aboutProblem({ operation }: Plan, answer: Answered): string[] {
  const { status } = answer;
  if (operation.id === 'getReadiness' && status === 503) return [];
  if (typeOf(answer) !== 'application/problem+json') return [`a failure of type '${typeOf(answer)}'`];
  const { code, requestId, status: told } = JSON.parse(answer.body.toString()) as Record<string, unknown>;
  const wrong: string[] = [];
  if (typeof code !== 'string' || !Object.hasOwn(ERROR_CODES, code)) wrong.push(`unknown code ${String(code)}`);
  else if (STATUS_OF[code as keyof typeof STATUS_OF] !== status) wrong.push(`code ${code} with status ${status}`);
  if (told !== status) wrong.push(`the problem says ${String(told)}`);
  if (typeof requestId !== 'string' || requestId === '') wrong.push('no requestId');
  if (status >= 500 && !(status === 503 && code === 'overloaded' && answer.headers['retry-after'] !== undefined))
    wrong.push(`status ${status}`);
  return wrong;
}

function aboutSecrets({ operation }: Plan, answer: Answered, { always, tokens }: Secrets): string[] {
  const text = `${JSON.stringify(answer.headers)}\n${answer.body.toString('latin1')}`;
  const found = always.filter((secret) => text.includes(secret)).map((secret) => `the secret ${secret.slice(0, 12)}…`);
  if (SIGNING.has(operation.id)) return found;
  for (const token of tokens) if (text.includes(token)) return [...found, 'the token of a signed URL'];
  return found;
}

/** Whatever a user's token shows belongs to that user. */
function aboutOwners({ caller }: Plan, answer: Answered): string[] {
  const user = { alice: 'alice', reader: 'alice', bob: 'bob' }[caller as string];
  if (user === undefined || !typeOf(answer).endsWith('json') || answer.status >= 300) return [];
  const owners = new Set<unknown>();
  const walk = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return;
    if ('storageUrl' in value && 'userId' in value) owners.add(value.userId);
    Object.values(value).forEach(walk);
  };
  walk(JSON.parse(answer.body.toString()));
  owners.delete(user);
  return [...owners].map((owner) => `an item of ${String(owner)}, shown to ${user}`);
}
