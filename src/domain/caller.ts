import { AppError } from '../errors.ts';

export const SCOPES = ['media:read', 'media:write', 'media:admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** The caller: the token's subject and scopes. */
export interface Caller {
  sub: string;
  scopes: ReadonlySet<Scope>;
  /** When the token expires, in seconds since 1970. */
  expires?: number | undefined;
}

/** A service's token acts for any user; a user's token reaches only what its subject owns. */
export function isAdmin(caller: Caller): boolean {
  return caller.scopes.has('media:admin');
}

/** Whether `caller` may see and change what `userId` owns. */
export function mayReach(caller: Caller, userId: string): boolean {
  return isAdmin(caller) || caller.sub === userId;
}

/**
 * The user for whom `caller` writes.
 * @throws AppError invalid_request when a service's token names no user, user_mismatch when a user's token names another
 */
export function ownerFor(caller: Caller, userId: string | undefined): string {
  if (isAdmin(caller)) {
    if (userId === undefined) {
      throw new AppError('invalid_request', "A token with media:admin acts for any user, so 'userId' must be given.", {
        field: 'userId',
      });
    }
    return userId;
  }
  if (userId !== undefined && userId !== caller.sub) {
    throw new AppError(
      'user_mismatch',
      "This token acts for its own subject only; leave 'userId' out, or use a token with media:admin.",
      { field: 'userId' },
    );
  }
  return caller.sub;
}
