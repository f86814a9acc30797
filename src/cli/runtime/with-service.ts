import type { SearchDeps } from '../../domain/search/search.ts';
import { createService } from '../../process/compose.ts';
import { resolveJwtSecret } from '../../process/jwt-secret.ts';
import { openConfiguredDatabase, openExistingDatabase } from '../../process/open-database.ts';
import type { CommandContext } from './command-context.ts';

/**
 * Opens the database and stores for a command, and closes them after it. The first Ctrl-C fires the signal, so that running steps
 * may finish.
 * @param existing the command works on items that are there: a new, empty database would only hide that a setting is missing
 */
export async function withService<T>(
  { config, log, version }: CommandContext,
  work: (deps: SearchDeps, signal: AbortSignal, connectionString: string) => Promise<T>,
  { existing = false }: { existing?: boolean } = {},
): Promise<T> {
  const server = await (existing ? openExistingDatabase : openConfiguredDatabase)(config, log);
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    const { secret } = await resolveJwtSecret(config);
    const { connectionString } = server;
    const service = await createService(config, { connectionString, jwtSecret: secret, log, version });
    try {
      return await work(service.deps, stop.signal, connectionString);
    } finally {
      await service.close();
    }
  } finally {
    process.removeListener('SIGINT', interrupt).removeListener('SIGTERM', interrupt);
    await server.stop();
  }
}
