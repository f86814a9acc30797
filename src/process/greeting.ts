import type { Logger } from 'pino';
import type { Config } from '../config/load-config.ts';
import type { Output } from '../telemetry/output.ts';
import { mintToken } from './mint-token.ts';

/** A picture of one pixel, so that the first command needs no file. */
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';
const TOKEN_SECONDS = 30 * 24 * 3600;

export interface Greeting {
  version: string;
  output: Pick<Output, 'write'>;
  config: Config;
  log: Pick<Logger, 'info' | 'warn'>;
  baseUrl: string;
  developmentSecret: string | undefined;
}

/** Tells the service's URL: in production in the log, in development as text, with how to try it. */
export function greet({ config, version, output, log, baseUrl, developmentSecret }: Greeting): void {
  if (config.PUBLIC_BASE_URL === undefined && !isLoopback(config.HOST))
    log.warn(
      `PUBLIC_BASE_URL is not set: URLs in answers begin with ${baseUrl}, which callers on other machines cannot reach; set it to the address at which they reach this service`,
    );
  if (config.production) {
    log.info({ version, url: baseUrl }, `mediakeep ${version} listens on ${baseUrl}`);
    return;
  }
  const lines = ['', `mediakeep ${version} listens on ${baseUrl}`];
  if (config.DOCS) lines.push(`  API reference   ${baseUrl}/docs`);
  if (config.DATABASE_URL === undefined) lines.push(`  database        embedded PostgreSQL in ${config.DATA_DIR}`);
  if (developmentSecret !== undefined) {
    const { token } = mintToken(developmentSecret, {
      sub: 'dev',
      scope: 'media:read media:write media:admin',
      ttl: TOKEN_SECONDS,
      issuer: config.JWT_ISSUER,
      audience: config.JWT_AUDIENCE,
    });
    lines.push('', 'Development token (30 days, all scopes):', '', token, '', 'Store a first picture:', '');
    lines.push(
      `curl -sS ${baseUrl}/v1/media -H 'content-type: application/json' -H 'authorization: Bearer ${token}' -d '{"userId":"dev","prompt":"a first pixel","source":{"type":"base64","data":"${PIXEL}"}}'`,
    );
  }
  output.write(`${lines.join('\n')}\n\n`);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
