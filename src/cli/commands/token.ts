import path from 'node:path';
import { loadTokenConfig } from '../../config/load-config.ts';
import { resolveJwtSecret } from '../../process/jwt-secret.ts';
import { mintToken } from '../../process/mint-token.ts';
import { EXIT } from '../runtime/exit-codes.ts';
import { UsageError } from '../runtime/usage-error.ts';

export interface TokenOptions {
  sub: string;
  scope: string;
  /** Seconds. */
  ttl: number;
  json?: boolean;
}

const SCOPES = ['media:read', 'media:write', 'media:admin'];
const MAX_SUBJECT = 255;

/** `mediakeep token`: prints a token that is signed with the configured secret, and nothing else. */
export async function runToken(env: NodeJS.ProcessEnv, options: TokenOptions): Promise<number> {
  const { sub, ttl } = options;
  if (sub.trim() === '' || sub.length > MAX_SUBJECT)
    throw new UsageError(`--sub: give a user id of 1 to ${MAX_SUBJECT} characters.`);
  const scope = scopes(options.scope);
  const config = loadTokenConfig(env);
  const { secret, madeUp } = await resolveJwtSecret(config);
  if (secret === undefined)
    throw new UsageError(
      'JWT_SECRET is not set: this service trusts the keys of JWT_JWKS_URL, so its tokens come from the system that has those keys.',
    );
  const { token, expiresAt } = mintToken(secret, {
    sub,
    scope,
    ttl,
    issuer: config.JWT_ISSUER,
    audience: config.JWT_AUDIENCE,
  });
  if (madeUp && !options.json)
    process.stderr.write(`signed with the development secret in ${path.join(config.DATA_DIR, 'jwt-secret')}\n`);
  process.stdout.write(options.json ? `${JSON.stringify({ token, expiresAt, sub, scope })}\n` : `${token}\n`);
  return EXIT.done;
}

/** The scopes, separated by single spaces. */
function scopes(list: string): string {
  const names = [...new Set(list.split(/[\s,]+/).filter(Boolean))];
  const unknown = names.find((name) => !SCOPES.includes(name));
  if (unknown !== undefined)
    throw new UsageError(`--scope: "${unknown}" is not a scope; allowed: ${SCOPES.join(', ')}.`);
  if (names.length === 0) throw new UsageError(`--scope: give at least one of ${SCOPES.join(', ')}.`);
  return names.join(' ');
}
