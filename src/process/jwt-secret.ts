import { randomBytes } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Config, ConfigError } from '../config/load-config.ts';
import { makeFolder } from '../db/embedded/make-folder.ts';
import { codeOf } from '../errors.ts';
import { createNewFile } from '../storage/local/new-file.ts';

type SecretConfig = Pick<Config, 'DATA_DIR' | 'production' | 'JWT_SECRET' | 'JWT_JWKS_URL'>;

/** The JWT secret: the configured one, or in development one that is generated once and kept; undefined when only JWKS is used. */
export async function resolveJwtSecret(config: SecretConfig): Promise<{ secret: string | undefined; madeUp: boolean }> {
  if (config.JWT_SECRET !== undefined) return { secret: config.JWT_SECRET, madeUp: false };
  if (config.JWT_JWKS_URL !== undefined && config.production) return { secret: undefined, madeUp: false };
  const file = path.join(config.DATA_DIR, 'jwt-secret');
  await makeFolder(config.DATA_DIR).catch((error: unknown) => {
    throw new ConfigError([
      `DATA_DIR: the folder ${config.DATA_DIR} cannot be made (${codeOf(error) ?? 'unknown'}); allowed: a folder that this user may write to`,
    ]);
  });
  await access(file).catch(() => createNewFile(file, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 }));
  const secret = (await readFile(file, 'utf8')).trim();
  if (secret.length < 32)
    throw new ConfigError([
      `JWT_SECRET is not set and ${file} holds no usable one; delete that file or set JWT_SECRET (at least 32 characters)`,
    ]);
  return { secret, madeUp: true };
}
