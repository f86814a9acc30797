import { type KeyObject, createPublicKey } from 'node:crypto';
import { type JWK, createRemoteJWKSet, customFetch } from 'jose';
import { AppError } from '../../errors.ts';

/** Public keys of a provider, fetched when they are first needed. */
export interface KeySource {
  /**
   * @param fresh fetch them again if the last fetch is more than a minute old, because the provider may have changed them
   * @throws AppError keys_unavailable: no keys could be fetched yet
   */
  keys(fresh: boolean): Promise<KeyObject[]>;
}

const MAX_KEY_SET_BYTES = 256 * 1024;

/** The Ed25519 keys of the JSON Web Key Set at a URL that the operator has configured. */
export function createKeySource(url: string): KeySource {
  const keySet = createRemoteJWKSet(new URL(url), {
    cacheMaxAge: 24 * 60 * 60_000,
    // A sender of wrong signatures must not cause a fetch each time.
    cooldownDuration: 60_000,
    timeoutDuration: 10_000,
    [customFetch]: async (address, options) => Response.json({ keys: await usableKeys(await fetch(address, options)) }),
  });
  return {
    async keys(fresh) {
      if (!keySet.fresh || (fresh && !keySet.coolingDown))
        await keySet.reload().catch((error: unknown) => {
          // During an outage of the provider, the last keys stay in use.
          if (keySet.jwks() === undefined) throw unavailable(error);
        });
      return (keySet.jwks()?.keys ?? []).flatMap((jwk) => toEd25519(jwk) ?? []);
    },
  };
}

/** @throws Error the answer is no key set with an Ed25519 key; the keys of the answer before then stay in use */
async function usableKeys(response: Response): Promise<JWK[]> {
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the key set was answered with status ${response.status}`);
  }
  const { keys } = JSON.parse(await readBounded(response)) as { keys?: unknown };
  const usable = (Array.isArray(keys) ? (keys as JWK[]) : []).filter((jwk) => toEd25519(jwk) !== undefined);
  if (usable.length === 0) throw new Error('the key set holds no Ed25519 key');
  return usable;
}

async function readBounded(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of response.body ?? []) {
    size += piece.length;
    if (size > MAX_KEY_SET_BYTES) throw new Error(`the key set has more than ${MAX_KEY_SET_BYTES} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

function toEd25519(jwk: JWK): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    return key.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    return undefined;
  }
}

function unavailable(cause: unknown): AppError {
  return new AppError('keys_unavailable', 'The keys that webhooks are checked with cannot be fetched at the moment.', {
    cause,
    retryAfter: 10,
  });
}
