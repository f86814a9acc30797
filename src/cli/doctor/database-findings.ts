import { sql } from 'kysely';
import { databaseAddress } from '../../db/connections/address.ts';
import { DatabaseRefused } from '../../db/connections/refusal.ts';
import type { Db } from '../../db/database.ts';
import { failureOf } from '../../db/failure.ts';
import { migrationState } from '../../db/schema/migrator.ts';
import { verifySchema } from '../../db/schema/verify.ts';
import { causeOf } from '../../errors.ts';
import { type Finding, ok, warning, wrong } from './finding.ts';

export interface DatabaseFindings {
  findings: Finding[];
  /** What else is checked needs the schema. */
  schema: boolean;
}

const MAX_PROBLEMS = 10;
const CLOCK_WARNING_S = 5;
/** Tokens and presigned URLs are refused beyond this. */
const CLOCK_WRONG_S = 30;

/** Whether the database answers, has this version's schema, and agrees on the time. */
export async function databaseFindings(db: Db, connectionString: string): Promise<DatabaseFindings> {
  const address = databaseAddress(connectionString);
  const before = Date.now();
  let answer: { version: string; now: number };
  try {
    const { rows } = await sql<{ version: string; now: string }>`
      SELECT current_setting('server_version') AS version, extract(epoch FROM clock_timestamp()) AS now`.execute(db);
    answer = { version: rows[0]?.version ?? '', now: Number(rows[0]?.now) };
  } catch (error) {
    if (error instanceof DatabaseRefused)
      return { findings: [wrong('database', `DATABASE_URL: ${error.message}`)], schema: false };
    const gone = failureOf(error) === 'gone';
    const message = `${address} ${gone ? 'cannot be reached' : 'refuses'} (${causeOf(error)}); ${gone ? 'start it, or correct DATABASE_URL' : 'correct DATABASE_URL'}`;
    return { findings: [wrong('database', message)], schema: false };
  }
  const after = Date.now();
  const skew = answer.now - (before + after) / 2000;
  const { finding, complete } = await schemaFinding(db);
  return {
    findings: [
      ok('database', `PostgreSQL ${answer.version} at ${address} answers after ${after - before} ms`),
      clock(skew),
      finding,
    ],
    schema: complete,
  };
}

function clock(skew: number): Finding {
  const seconds = Math.abs(skew).toFixed(1);
  if (Math.abs(skew) < CLOCK_WARNING_S)
    return ok('clock', `${new Date().toISOString()}, ${seconds} s off the database's`);
  const message = `this machine's clock is ${seconds} s ${skew > 0 ? 'behind' : 'ahead of'} the database's; synchronise both (NTP)`;
  return Math.abs(skew) > CLOCK_WRONG_S ? wrong('clock', message) : warning('clock', message);
}

async function schemaFinding(db: Db): Promise<{ finding: Finding; complete: boolean }> {
  const { applied, missing, unknown } = await migrationState(db);
  if (applied.length === 0)
    return {
      finding: warning('schema', 'there is none yet; the next start makes it, or mediakeep migrate'),
      complete: false,
    };
  if (missing.length > 0)
    return {
      finding: wrong('schema', `migrations are missing: ${missing.join(', ')}; run mediakeep migrate`),
      complete: false,
    };
  if (unknown.length > 0)
    return {
      finding: wrong('schema', `a newer version has migrated the database (${unknown.join(', ')}); run that version`),
      complete: true,
    };
  const problems = await verifySchema(db);
  if (problems.length === 0) return { finding: ok('schema', `complete, ${applied.length} migrations`), complete: true };
  const more = problems.length > MAX_PROBLEMS ? `; and ${problems.length - MAX_PROBLEMS} more` : '';
  return { finding: wrong('schema', `${problems.slice(0, MAX_PROBLEMS).join('; ')}${more}`), complete: true };
}
