import { createHash, timingSafeEqual } from 'node:crypto';
import { AppError } from '../errors.ts';

const digest = (text: string) => createHash('sha256').update(text).digest();

/** @throws AppError token_missing, token_invalid: metrics need `token`, and the header does not give it */
export function checkMetricsToken(token: string | undefined, authorization: string | undefined): void {
  if (token === undefined) return;
  const [, given] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? [];
  if (given === undefined)
    throw new AppError('token_missing', 'Metrics need the token of METRICS_TOKEN as a bearer token.');
  if (!timingSafeEqual(digest(given), digest(token)))
    throw new AppError('token_invalid', 'The token is not that of METRICS_TOKEN.');
}
