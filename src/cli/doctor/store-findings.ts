import type { Config } from '../../config/load-config.ts';
import type { StoreConfig } from '../../config/stores.ts';
import { type DriverDeps, openDriver } from '../../process/open-stores.ts';
import { StorageError } from '../../storage/driver.ts';
import { causeOf } from '../../errors.ts';
import { type Finding, inspect, ok, warning, wrong } from './finding.ts';

const GIB = 1024 ** 3;
const LITTLE_ROOM = 0.05;

/** Opens each store, tries it as the service's start does, and looks at its free space. */
export async function storeFindings(config: Config, deps: DriverDeps): Promise<Finding[]> {
  const found = await Promise.all(
    config.stores.map((store) => inspect(`store ${store.name}`, () => storeFinding(store, deps))),
  );
  return found.flat();
}

async function storeFinding(store: StoreConfig, deps: DriverDeps): Promise<Finding> {
  const check = `store ${store.name}`;
  const opened = await openDriver(store, { ...deps, lookOnly: true }).catch((error: unknown) => {
    if (isUnused(error)) return error;
    throw error;
  });
  if (opened instanceof StorageError) return warning(check, opened.message);
  try {
    await opened.check?.();
    await opened.healthy();
    const { place } = opened;
    const remark = opened.remark?.();
    const where = [place === undefined ? store.driver : `${store.driver}, ${place}`, remark].filter(Boolean).join('; ');
    const space = await opened.space?.();
    if (space === undefined) return ok(check, `${where}; can be written`);
    const room = `${(space.free / GIB).toFixed(1)} of ${(space.total / GIB).toFixed(1)} GiB free`;
    return space.free < space.total * LITTLE_ROOM
      ? warning(check, `${where}; can be written, but only ${room}; make room`)
      : ok(check, `${where}; can be written; ${room}`);
  } catch (error) {
    if (isUnused(error)) return warning(check, error.message);
    return wrong(check, error instanceof StorageError ? withCause(error) : causeOf(error));
  } finally {
    await opened.close?.();
  }
}

function isUnused(error: unknown): error is StorageError {
  return error instanceof StorageError && error.code === 'UNUSED';
}

function withCause(error: StorageError): string {
  const cause = error.cause === undefined ? '' : causeOf(error.cause);
  return cause === '' || error.message.includes(cause) ? error.message : `${error.message} (${cause})`;
}
