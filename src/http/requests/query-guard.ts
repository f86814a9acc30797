import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError } from '../../errors.ts';
import { nearest } from '../../shapes/nearest-name.ts';
import { unknownField } from '../../shapes/validator.ts';
import { checkDecoded } from './decoded-text.ts';

/** `tags[]=a`, as axios and PHP write lists; PHP also numbers them. */
const LIST_NAME = /^(\w+)\[\d*\]$/;

/** Gives the members of a list, which some clients name `tags[]`, the name that the route knows. */
function joinLists(request: FastifyRequest): void {
  const query = request.query as Record<string, unknown>;
  const known = (
    request.routeOptions.schema?.querystring as { properties?: Record<string, { type?: unknown }> } | undefined
  )?.properties;
  for (const [name, value] of Object.entries(query)) {
    const list = LIST_NAME.exec(name)?.[1];
    if (list === undefined || known?.[list]?.type !== 'array') continue;
    query[list] = [query[list] ?? [], value].flat();
    delete query[name];
  }
}

/** What pages and proxies add to any URL, against caches and for statistics: `?v=2`, `?_=1732`, `?utm_source=x`. */
const MIN_TYPO = 4;
const isAdded = (name: string): boolean => name.length < MIN_TYPO || /^(_|utm_)/.test(name);

/**
 * A parameter that nobody reads would be taken for one that was heeded. Routes that list theirs refuse others by their schema; this
 * is for the rest: routes that take none, and files, whose URLs get parameters of others, but no misspelt `strip`.
 */
function refuseUnheeded(request: FastifyRequest): void {
  const names = Object.keys(request.query as object).filter((name) => !isAdded(name));
  const { url = '', schema } = request.routeOptions;
  const known = schema?.querystring as { properties?: object; additionalProperties?: unknown } | undefined;
  const [first] = names;
  if (known === undefined && url.startsWith('/v1/') && first !== undefined) throw unknownField(first, []);
  const wanted = Object.keys(known?.properties ?? {});
  if (!wanted.includes('strip') || known?.additionalProperties === false) return;
  for (const name of names)
    if (!wanted.includes(name) && nearest(name, wanted) !== undefined) throw unknownField(name, wanted);
}

/** Refuses URLs with text that PostgreSQL cannot hold. */
export function registerQueryGuard(app: FastifyInstance): void {
  app.addHook('preValidation', async (request) => {
    const url = request.raw.url ?? '';
    if (/\[|%5b/i.test(url)) joinLists(request);
    if (url.includes('?')) refuseUnheeded(request);
    // Such characters can only appear as escapes.
    if (!/[^\x21-\x24\x26-\x7e]/.test(url)) return;
    checkEscapes(url);
    checkTexts(request.query);
    checkTexts(request.params);
  });
}

function checkTexts(values: unknown): void {
  for (const [name, value] of Object.entries((values ?? {}) as Record<string, unknown>)) {
    checkDecoded(name, name);
    for (const text of Array.isArray(value) ? value : [value]) if (typeof text === 'string') checkDecoded(name, text);
  }
}

/** The query parser keeps a value with invalid escapes as it is: `%ff` would become a text of three characters. */
function checkEscapes(url: string): void {
  const start = url.indexOf('?');
  if (start === -1 || !url.includes('%', start)) return;
  try {
    decodeURIComponent(url.slice(start + 1));
  } catch (error) {
    throw new AppError('invalid_text', "The query has a '%' that escapes nothing, or bytes that are not UTF-8.", {
      cause: error,
    });
  }
}
