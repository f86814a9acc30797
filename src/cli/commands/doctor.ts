import { BackgroundParts } from '../../background/parts.ts';
import {
  type Config,
  ConfigError,
  type DatabaseConfig,
  loadConfig,
  loadDatabaseConfig,
} from '../../config/load-config.ts';
import { openDatabase } from '../../db/database.ts';
import { hasDatabase, openConfiguredDatabase, requireEmbeddedPostgres } from '../../process/open-database.ts';
import { createLogger, standardError } from '../../telemetry/logger.ts';
import { databaseFindings } from '../doctor/database-findings.ts';
import { type Finding, inspect, ok, warning, wrong } from '../doctor/finding.ts';
import { dataFolderFinding, machine } from '../doctor/machine-findings.ts';
import { shownSettings } from '../doctor/shown-settings.ts';
import { storeFindings } from '../doctor/store-findings.ts';
import { workFindings } from '../doctor/work-findings.ts';
import { EXIT } from '../runtime/exit-codes.ts';

export interface DoctorOptions {
  json?: boolean;
}

interface Report {
  ok: boolean;
  version: string;
  machine: Record<string, string>;
  settings: Record<string, string>;
  checks: Finding[];
}

const STATEMENT_TIMEOUT_MS = 10_000;

/** `mediakeep doctor`: reports what a bug report needs. Changes nothing: it neither migrates nor makes a database. */
export async function runDoctor(
  { env, version }: { env: NodeJS.ProcessEnv; version: string },
  options: DoctorOptions,
): Promise<number> {
  const checks = await findings(env);
  const report: Report = {
    ok: checks.every(({ state }) => state !== 'wrong'),
    version,
    machine: machine(),
    settings: shownSettings(env),
    checks,
  };
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : text(report));
  return report.ok ? EXIT.done : EXIT.failed;
}

async function findings(env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const config = loaded(() => loadConfig(env));
  const database = loaded(() => loadDatabaseConfig(env));
  const checks = Array.isArray(config) ? config : [ok('configuration', 'complete')];
  if (Array.isArray(database)) return checks;
  checks.push(...(await inspect('data folder', () => dataFolderFinding(database.DATA_DIR))));
  const usable = Array.isArray(config) ? undefined : config;
  if (!(await hasDatabase(database))) return [...checks, ...(await inspect('database', firstDatabase))];
  return [...checks, ...(await inspect('database', () => databaseAndStores(database, usable)))];
}

/** The configuration, or what is wrong with it. */
function loaded<T>(load: () => T): T | Finding[] {
  try {
    return load();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => wrong('configuration', problem));
  }
}

async function firstDatabase(): Promise<Finding> {
  try {
    await requireEmbeddedPostgres();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return wrong('database', error.problems.join('; '));
  }
  return ok('database', 'embedded PostgreSQL; the first start makes it');
}

async function databaseAndStores(settings: DatabaseConfig, config: Config | undefined): Promise<Finding[]> {
  const log = createLogger('silent', standardError());
  const server = await openConfiguredDatabase(settings, log);
  const { db, close } = openDatabase({
    connectionString: server.connectionString,
    poolMax: 4,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    readOnly: true,
  });
  try {
    const { findings, schema } = await databaseFindings(db, server.connectionString);
    if (config === undefined) return findings;
    if (!schema) return [...findings, warning('stores', 'not checked: that needs the database with its schema')];
    const background = new BackgroundParts(log);
    const [stores, work] = await Promise.all([
      storeFindings(config, { db, log, background }),
      inspect('workers', () => workFindings(db)),
    ]);
    return [...findings, ...stores, ...work];
  } finally {
    await close();
    await server.stop();
  }
}

function text({ version, machine, settings, checks }: Report): string {
  const rows = (pairs: readonly (readonly [string, string])[]) => {
    const width = Math.max(0, ...pairs.map(([name]) => name.length));
    return pairs.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`);
  };
  const wrongs = checks.filter(({ state }) => state === 'wrong').length;
  const given = Object.entries(settings);
  return `${[
    `mediakeep ${version}`,
    ...rows(Object.entries(machine)),
    '',
    given.length === 0 ? 'Settings: none is set; all have their defaults' : 'Settings (all others have their defaults)',
    ...rows(given),
    '',
    'Checks',
    ...rows(checks.map(({ check, state, message }) => [`${state.padEnd(7)}  ${check}`, message] as const)),
    '',
    wrongs === 0 ? 'Nothing is wrong.' : `${wrongs} of ${checks.length} checks found something wrong.`,
  ].join('\n')}\n`;
}
