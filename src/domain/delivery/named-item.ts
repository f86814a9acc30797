import { findDeliveredItem } from '../../db/items/delivery-row.ts';
import { bearsName, newestByExternalId, nthOfRun, ownersOfName } from '../../db/items/item-names.ts';
import { findRunOwner } from '../../db/runs/runs.ts';
import { AppError } from '../../errors.ts';
import { isAdmin, mayReach } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { type ReadItem, type Reader, isReadable, refuseReading } from './open-content.ts';

// Any user may give an item any external id and any run label. So such a name is looked up among one user's items; if the request
// names no user, it counts only while all its items have one owner.

/**
 * An item by its id, else by the id that it had in an older system, among the items of the named user or else the caller.
 * @throws AppError not_found, token_missing; ambiguous: a service must name the owner
 */
export async function itemByAnyId(
  deps: Pick<Deps, 'db'>,
  reader: Reader,
  { id, userId }: { id: string; userId?: string | undefined },
): Promise<ReadItem> {
  const real = /^[1-9]\d{0,18}$/.test(id) ? await findDeliveredItem(deps.db, id) : undefined;
  if (real && isReadable(reader, real) && (userId === undefined || real.userId === userId)) return real;
  const own = userId ?? (isUser(reader) ? reader.caller.sub : undefined);
  // The id of an existing item, even private or deleted, is never looked up as an external id of another user.
  const owner = own ?? (real ? undefined : await soleOwner(deps, reader, 'external_id', id));
  if (owner === undefined) return refuseReading(reader);
  return readById(
    deps,
    reader,
    await newestByExternalId(deps.db, id, { userId: owner, publicOnly: isPublicOnly(reader, owner) }),
  );
}

async function soleOwner(
  { db }: Pick<Deps, 'db'>,
  reader: Reader,
  column: 'external_id' | 'run_id',
  name: string,
): Promise<string | undefined> {
  const owners = await ownersOfName(db, column, name);
  if (owners.length > 1 && reader.type === 'caller' && isAdmin(reader.caller))
    throw new AppError(
      'ambiguous',
      `Items of several users have that ${column === 'run_id' ? 'run id' : 'external id'}; send the owner's id as the query parameter 'userId'.`,
      { field: 'userId' },
    );
  return owners.length === 1 ? owners[0] : undefined;
}

/**
 * The n-th output (from 1) of a type in a run, or among items with that run label: the caller's own, else those of a sole owner.
 * @throws AppError not_found, token_missing
 */
export async function mediaOfRun(
  deps: Pick<Deps, 'db'>,
  reader: Reader,
  { userId, ...wanted }: { runId: string; mediaType: string; n: number; userId?: string | undefined },
): Promise<ReadItem> {
  const owner = userId ?? (await ownerOfRun(deps, reader, wanted.runId));
  if (owner === undefined) return refuseReading(reader);
  return readById(
    deps,
    reader,
    await nthOfRun(deps.db, { ...wanted, userId: owner, publicOnly: isPublicOnly(reader, owner) }),
  );
}

async function ownerOfRun({ db }: Pick<Deps, 'db'>, reader: Reader, runId: string): Promise<string | undefined> {
  const owner = await findRunOwner(db, runId);
  if (owner !== undefined) return owner;
  if (isUser(reader) && (await bearsName(db, 'run_id', runId, reader.caller.sub))) return reader.caller.sub;
  return soleOwner({ db }, reader, 'run_id', runId);
}

function isUser(reader: Reader): reader is Extract<Reader, { type: 'caller' }> {
  return reader.type === 'caller' && !isAdmin(reader.caller);
}

function isPublicOnly(reader: Reader, owner: string): boolean {
  return reader.type !== 'caller' || !mayReach(reader.caller, owner);
}

async function readById({ db }: Pick<Deps, 'db'>, reader: Reader, id: string | undefined): Promise<ReadItem> {
  const item = id === undefined ? undefined : await findDeliveredItem(db, id);
  return item && isReadable(reader, item) ? item : refuseReading(reader);
}
