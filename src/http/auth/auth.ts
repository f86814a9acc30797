import { KeyObject } from 'node:crypto';
import fastifyJwt from '@fastify/jwt';
import type { FastifyInstance, FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import { createRemoteJWKSet } from 'jose';
import { type Caller, SCOPES, type Scope } from '../../domain/caller.ts';
import { checkUserId } from '../../domain/items/item-fields.ts';
import { AppError, codeOf, isAppError } from '../../errors.ts';
import { rememberCallers } from './token-cache.ts';

export interface AuthOptions {
  jwtSecret: string | undefined;
  jwksUrl: string | undefined;
  issuer: string | undefined;
  audience: string | undefined;
}

/**
 * Who may call a route: anyone (`open`), anyone with an optional token (`optional`: public items), or a token with the scope.
 * Every route must declare it, or the start fails.
 */
export type Access = 'open' | 'optional' | Scope;

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
  }
  interface FastifyRequest {
    /** Undefined on routes that need no token. */
    caller: Caller | undefined;
  }
}

const SYMMETRIC = ['HS256'] as const;
const ASYMMETRIC = ['RS256', 'ES256', 'EdDSA'] as const;
/** Errors of the key set that are the token's fault: it names no key of the set. */
const TOKENS_FAULT = new Set(['ERR_JWKS_NO_MATCHING_KEY', 'ERR_JWKS_MULTIPLE_MATCHING_KEYS', 'ERR_JOSE_NOT_SUPPORTED']);
const MAX_TOKEN_CHARACTERS = 8192;
/** "Bearer" 1*SP b64token (RFC 6750, 2.1). */
const BEARER = /^Bearer +([^\s]+)$/i;
/** How far the clocks of this service and of the issuer may be apart. */
const CLOCK_TOLERANCE_S = 30;
/** Year 9999: a larger number is a mistake, and dates made of it are invalid. */
const MAX_EXPIRY = 253_402_300_799;

interface Header {
  alg?: string;
  kid?: string;
  crit?: unknown;
}

/** Refuses unknown routes, checks bearer tokens and scopes, and counts requests for the rate limit, before any body is read. */
export function registerAuth(app: FastifyInstance, options: AuthOptions): void {
  const algorithms = [
    ...(options.jwtSecret === undefined ? [] : SYMMETRIC),
    ...(options.jwksUrl === undefined ? [] : ASYMMETRIC),
  ];
  const keySet =
    options.jwksUrl === undefined
      ? undefined
      : createRemoteJWKSet(new URL(options.jwksUrl), {
          cooldownDuration: 5000,
          timeoutDuration: 5000,
          cacheMaxAge: 300_000,
        });

  /** The key follows from the algorithm in the header, never from the key's kind: an RSA key is never used as an HMAC secret. */
  const keyFor = async (header: Header): Promise<string> => {
    if (header.crit !== undefined) throw new Error('crit is not supported');
    if (header.alg === 'HS256' && options.jwtSecret !== undefined) return options.jwtSecret;
    if (keySet === undefined || !ASYMMETRIC.some((name) => name === header.alg))
      throw new Error('the algorithm is not allowed');
    if (header.kid !== undefined && (typeof header.kid !== 'string' || header.kid.length > 256))
      throw new Error('unusable kid');
    const key = await keySet({ alg: String(header.alg), ...(header.kid !== undefined && { kid: header.kid }) }).catch(
      (error: unknown) => {
        if (TOKENS_FAULT.has(codeOf(error) ?? '')) throw error;
        throw new AppError(
          'keys_unavailable',
          'The keys that tokens are checked with cannot be fetched; try again shortly.',
          { cause: error, retryAfter: 5 },
        );
      },
    );
    return KeyObject.from(key).export({ type: 'spki', format: 'pem' }).toString();
  };

  app.register(fastifyJwt, {
    secret: async (_request: FastifyRequest, token: unknown) => keyFor((token as { header: Header }).header),
    decode: { complete: true },
    sign: { algorithm: 'HS256' },
    verify: {
      algorithms,
      clockTolerance: CLOCK_TOLERANCE_S * 1000,
      extractToken: ({ headers: { authorization = '' } }) => BEARER.exec(authorization)?.[1],
      // "Allowed" claims are not checked when they are missing.
      requiredClaims: [
        'exp',
        'sub',
        ...(options.issuer === undefined ? [] : ['iss']),
        ...(options.audience === undefined ? [] : ['aud']),
      ],
      ...(options.issuer !== undefined && { allowedIss: options.issuer }),
      ...(options.audience !== undefined && { allowedAud: options.audience }),
    },
  });
  app.decorateRequest('caller', undefined);
  const callers = rememberCallers();

  const authenticate = async (request: FastifyRequest, access: Access): Promise<Caller | undefined> => {
    if (access === 'open') return undefined;
    const { authorization } = request.headers;
    if (authorization === undefined) {
      if (access === 'optional') return undefined;
      throw new AppError('token_missing', 'Send a token: Authorization: Bearer <JWT>.');
    }
    if (!BEARER.test(authorization) || authorization.length > MAX_TOKEN_CHARACTERS) {
      throw new AppError('token_invalid', 'The Authorization header must be: Bearer <JWT>.');
    }
    const known = callers.get(authorization);
    if (known) return known;
    const claims = await request.jwtVerify<Record<string, unknown>>().catch((error: unknown) => {
      if (isAppError(error)) throw error;
      throw new AppError('token_invalid', reasonOf(error), { cause: error });
    });
    const caller = toCaller(claims);
    callers.remember(authorization, caller);
    return caller;
  };

  const check: onRequestAsyncHookHandler = async (request, reply) => {
    const access = request.routeOptions.config.access ?? 'open';
    // Responses to a token are private; a route may override this.
    if (access !== 'open') reply.header('cache-control', 'no-store');
    let caller: Caller | undefined;
    try {
      app.refuseUnknown(request);
      caller = await authenticate(request, access);
    } catch (error) {
      await app.countRequest(request);
      throw error;
    }
    request.caller = caller;
    request.senderProven = caller !== undefined;
    // Webhooks are authenticated separately; their routes count the unproven ones.
    if (request.routeOptions.config.body !== 'webhook') await app.countRequest(request);
    const scope = access === 'optional' ? 'media:read' : access;
    if (caller && scope !== 'open' && !caller.scopes.has(scope) && !caller.scopes.has('media:admin')) {
      throw new AppError('insufficient_scope', `This needs a token with the scope ${scope}.`);
    }
  };
  app.addHook('onRequest', check);
  app.addHook('onRoute', (route) => {
    if (route.config?.access === undefined)
      throw new Error(`${String(route.method)} ${route.url} does not say who may call it`);
  });
}

/** The caller on a route that requires a token. */
export function callerOf(request: FastifyRequest): Caller {
  if (!request.caller) throw new Error('a route without a token asked for its caller');
  return request.caller;
}

function toCaller(claims: Record<string, unknown>): Caller {
  const { sub, exp, scope, scp, permissions } = claims;
  if (typeof sub !== 'string') throw new AppError('token_invalid', "The token's 'sub' must be a text.");
  if (typeof exp !== 'number' || !Number.isFinite(exp) || exp > MAX_EXPIRY)
    throw new AppError('token_invalid', "The token's 'exp' must be a time in seconds.");
  try {
    checkUserId(sub);
  } catch (error) {
    if (isAppError(error))
      throw new AppError('token_invalid', "The token's 'sub' cannot be a user's id.", { cause: error });
    throw error;
  }
  // Microsoft's issuers say `scp`, Auth0's `permissions`.
  const granted = new Set([scope, scp, permissions].flatMap(namesIn));
  return {
    sub,
    scopes: new Set(SCOPES.filter((name) => granted.has(name))),
    expires: exp + CLOCK_TOLERANCE_S,
  };
}

/** Scopes are a text with spaces, or a list. */
function namesIn(claim: unknown): unknown[] {
  return typeof claim === 'string' ? claim.split(/\s+/) : Array.isArray(claim) ? claim : [];
}

/** The part of the reason that a caller may see. */
function reasonOf(error: unknown): string {
  const code = (error as { code?: string }).code ?? '';
  if (/EXPIRED/i.test(code)) return 'The token has expired; get a new one.';
  if (/INACTIVE|NOT_BEFORE/i.test(code)) return 'The token is not valid yet.';
  if (/MISSING_REQUIRED_CLAIM|CLAIM/i.test(code))
    return "The token lacks a claim that is required ('exp', 'sub') or has one with another value ('iss', 'aud').";
  return 'The token was refused: it is malformed, its signature is wrong, or its algorithm or key is not accepted.';
}
