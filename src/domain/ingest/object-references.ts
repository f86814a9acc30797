import type { FetchSource } from '../../db/jobs/fetches.ts';
import { isAppError } from '../../errors.ts';
import { checkKey, userFolder } from '../../storage/keys.ts';
import { type Caller, isAdmin } from '../caller.ts';
import type { Deps } from '../deps.ts';

/**
 * Where an object may lie that a back end names: by an absolute path below a mount point of a store (never outside of it), or by
 * a key, which may be one of any store that others write into, the primary one first. Empty: nowhere that this service can reach.
 */
export function objectSources({ stores }: Pick<Deps, 'stores'>, named: string): FetchSource[] {
  const shared = stores.all.filter((store) => store.shared || store === stores.primary);
  const ordered = [stores.primary, ...shared.filter((store) => store !== stores.primary)];
  const found = ordered.flatMap((store): FetchSource[] => {
    const key = named.startsWith('/') ? store.keyAt(named) : named;
    return key !== undefined && isKey(key) ? [{ type: 'object', store: store.name, key }] : [];
  });
  return found;
}

function isKey(key: string): boolean {
  try {
    checkKey(key);
    return true;
  } catch (error) {
    if (isAppError(error, 'invalid_key')) return false;
    throw error;
  }
}

/** What `userFolder` could have made of somebody else's id, also where the file system does not tell capitals apart. */
const ESCAPE = /^([a-z0-9-]|_[0-9a-f]{2})*$|^_h[0-9a-f]*$/i;

/**
 * Whether a caller may have an object taken over: a service any, a user what lies in a folder of that user's own. Back ends name such
 * folders by the bare id; but a bare id that could be the escape of another one (`_41`: the folder of `A`) is nobody's folder.
 */
export function mayAdopt(caller: Caller, userId: string, key: string): boolean {
  if (isAdmin(caller)) return true;
  const isName = !userId.includes('/') && userId !== '.' && userId !== '..';
  const bare = isName && !(userId.includes('_') && ESCAPE.test(userId));
  return [userFolder(userId), ...(bare ? [userId] : [])].some((folder) => key.startsWith(`outputs/${folder}/`));
}
