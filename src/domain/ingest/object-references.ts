import type { FetchSource } from '../../db/jobs/fetches.ts';
import { isAppError } from '../../errors.ts';
import { checkKey, userFolder } from '../../storage/keys.ts';
import { type Caller, isAdmin } from '../caller.ts';
import type { Deps } from '../deps.ts';

/**
 * Possible locations of an object that a back end names by an absolute path below a store's mount point, by an address such as
 * `s3://bucket/key`, or by a key, which may
 * be in any store that others write into, the primary first. Empty: this service cannot reach it.
 */
export function objectSources({ stores }: Pick<Deps, 'stores'>, named: string): FetchSource[] {
  // The address says which store it is.
  const isAddress = /^[a-z][a-z0-9]*:\/\//i.test(named);
  const shared = stores.all.filter((store) => store.shared || store === stores.primary);
  const ordered = isAddress ? stores.all : [stores.primary, ...shared.filter((store) => store !== stores.primary)];
  const found = ordered.flatMap((store): FetchSource[] => {
    const key = isAddress || named.startsWith('/') ? store.keyAt(named) : named;
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

/** What `userFolder` could have made of another user's id, including on file systems that ignore case. */
const ESCAPE = /^([a-z0-9-]|_[0-9a-f]{2})*$|^_h[0-9a-f]*$/i;

/**
 * Whether a caller may adopt an object: a service any, a user only objects in a folder of that user. Back ends name such folders
 * by the bare id; but a bare id that could be the escaped form of another (`_41`: the folder of `A`) grants no folder.
 */
export function mayAdopt(caller: Caller, userId: string, key: string): boolean {
  if (isAdmin(caller)) return true;
  const isName = !userId.includes('/') && userId !== '.' && userId !== '..';
  const bare = isName && !(userId.includes('_') && ESCAPE.test(userId));
  return [userFolder(userId), ...(bare ? [userId] : [])].some((folder) => key.startsWith(`outputs/${folder}/`));
}
