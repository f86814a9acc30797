import { constants, access, stat } from 'node:fs/promises';
import type { ImportRecord } from '../../domain/imports/import-record.ts';
import { createJsonCheck } from '../../shapes/validator.ts';
import { Type } from 'typebox';
import { type ImportRecordsSummary, type Line, importRecords } from '../../domain/imports/import-records.ts';
import { codeOf, isAppError } from '../../errors.ts';
import { ref } from '../../shapes/common.ts';
import { IngestJson, withStorageUrl } from '../../shapes/ingest.ts';
import { type JsonLine, readJsonLines } from '../../sources/imports/record-lines.ts';
import type { CommandContext } from '../runtime/command-context.ts';
import { EXIT } from '../runtime/exit-codes.ts';
import { createProgressBar } from '../runtime/progress-bar.ts';
import { UsageError } from '../runtime/usage-error.ts';
import { withService } from '../runtime/with-service.ts';

export interface ImportRecordsCommandOptions {
  concurrency: number;
  dryRun?: boolean;
  json?: boolean;
}

const checkRecord = createJsonCheck<IngestJson>(ref(IngestJson));
const checkPath = createJsonCheck<{ type: 'path'; path: string }>(
  Type.Object(
    { type: Type.Literal('path'), path: Type.String({ minLength: 1, maxLength: 2000 }) },
    { additionalProperties: false },
  ),
);

/** `mediakeep import-records`: stores records from a file of JSON lines, as exported from an older system's tables. */
export async function runImportRecords(
  context: CommandContext,
  file: string,
  options: ImportRecordsCommandOptions,
): Promise<number> {
  await requireFile(file);
  if (options.dryRun === true) return dryRun(file, options.json === true);
  const summary = await withService(context, (deps, signal) => {
    // The number of lines is unknown until all have been read.
    const bar = createProgressBar(0);
    return importRecords(deps, checked(readJsonLines(file)), {
      concurrency: options.concurrency,
      signal,
      onProgress: (done) => bar.update(done, ''),
    }).finally(() => bar.end());
  });
  print(summary, options.json === true);
  if (summary.interrupted) return EXIT.interrupted;
  return summary.failed.length > 0 ? EXIT.partly : EXIT.done;
}

async function requireFile(file: string): Promise<void> {
  if (file === '-') return;
  try {
    await access(file, constants.R_OK);
  } catch (error) {
    throw new UsageError(`${file} cannot be read (${codeOf(error)}).`);
  }
  if ((await stat(file)).isDirectory()) throw new UsageError(`${file} is a folder; give a file of JSON lines.`);
}

async function* checked(lines: AsyncIterable<JsonLine>): AsyncGenerator<Line> {
  for await (const line of lines) yield 'problem' in line ? line : check(line);
}

function check({ line, value }: { line: number; value: Record<string, unknown> }): Line {
  const { isCurrent, source, ...rest } = value;
  // Databases export null for missing values.
  const fields = Object.fromEntries(Object.entries(rest).filter(([, entry]) => entry !== null));
  try {
    if (isCurrent !== undefined && isCurrent !== null && typeof isCurrent !== 'boolean')
      return { line, problem: "'isCurrent' must be true or false." };
    const isPath = typeof source === 'object' && source !== null && (source as { type?: unknown }).type === 'path';
    const record = isPath
      ? { ...checkRecord(fields), source: checkPath(source) as never }
      : checkRecord({ ...fields, ...(source !== undefined && source !== null && { source }) });
    return { line, record: { ...(withStorageUrl(record) as ImportRecord), isCurrent: isCurrent === true } };
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { line, problem: error.message };
  }
}

async function dryRun(file: string, json: boolean): Promise<number> {
  let records = 0;
  const problems: { line: number; reason: string }[] = [];
  for await (const line of checked(readJsonLines(file))) {
    records += 1;
    if ('problem' in line) problems.push({ line: line.line, reason: line.problem });
  }
  if (json) process.stdout.write(`${JSON.stringify({ dryRun: true, records, failed: problems })}\n`);
  else {
    for (const { line, reason } of problems) process.stderr.write(`line ${line}: ${reason}\n`);
    process.stdout.write(`${records} records, ${problems.length} of them not usable\n`);
  }
  return problems.length > 0 ? EXIT.partly : EXIT.done;
}

function print(summary: ImportRecordsSummary, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(summary)}\n`);
    return;
  }
  for (const { line, reason } of summary.failed) process.stderr.write(`line ${line} failed: ${reason}\n`);
  process.stdout.write(
    `${summary.records} records: ${summary.stored} stored, ${summary.pending} still to be fetched by a worker, ${summary.present} stored before, ${summary.failed.length} failed${summary.interrupted ? '; interrupted, run it again to go on' : ''}\n`,
  );
}
