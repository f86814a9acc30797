import type { Measured, Turn } from './measure.ts';
import { isNoisy } from './measure.ts';

export interface Ratio {
  of: string;
  to: string;
  /** Median, minimum and maximum of the ratios within each round. */
  median: number;
  min: number;
  max: number;
  wanted: number | undefined;
}

/** One kind of work, done by several contenders in turns. */
export interface Row {
  work: string;
  unit: 'req/s' | 'MB/s' | 'URLs/s';
  /** How many `unit` one request is, where that is neither one nor megabytes. */
  perRequest?: number;
  measured: readonly Measured[];
  ratios: readonly Ratio[];
}

function rate(turn: Turn, { unit, perRequest = 1 }: Pick<Row, 'unit' | 'perRequest'>): number {
  return unit === 'MB/s' ? turn.bytes / 1e6 / turn.seconds : (turn.requests * perRequest) / turn.seconds;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** Ratios of the rates of `of` to those of `to`, pair by pair as they took turns. */
export function ratioOf(
  measured: readonly Measured[],
  unit: Pick<Row, 'unit' | 'perRequest'>,
  of: string,
  to: string,
  wanted?: number,
): Ratio[] {
  const turns = (name: string) => measured.find((one) => one.name === name)?.turns ?? [];
  const below = turns(to);
  const ratios = turns(of).flatMap((turn, index) => {
    const other = below[index];
    return other && rate(other, unit) > 0 ? [rate(turn, unit) / rate(other, unit)] : [];
  });
  if (ratios.length === 0) return [];
  return [{ of, to, median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios), wanted }];
}

export type Table = readonly (readonly string[])[];

/** The main table: rates side by side, and the required ratio. */
export function ratioTable(rows: readonly Row[]): Table {
  const lines = rows.flatMap((row) =>
    row.ratios.map((ratio) => {
      const rates = (name: string) =>
        row.measured.find((one) => one.name === name)?.turns.map((t) => rate(t, row)) ?? [];
      const errors = row.measured.some(({ turns }) => turns.some((turn) => Object.keys(turn.errors).length > 0));
      const nginx = row.measured.find(({ name }) => name === 'nginx');
      return [
        row.work,
        ratio.to === 'yardstick' ? ratio.of : `${ratio.of} : ${ratio.to}`,
        `${figure(median(rates(ratio.of)))} ${row.unit}`,
        `${figure(median(rates(ratio.to)))} ${row.unit}`,
        nginx ? `${figure(median(rates('nginx')))} ${row.unit}` : '–',
        `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)})`,
        ratio.wanted === undefined ? '–' : `≥ ${ratio.wanted.toFixed(1)}`,
        errors ? 'NO, ERRORS' : verdict(ratio),
      ];
    }),
  );
  return [['work', 'who', 'rate', 'yardstick', 'nginx', 'ratio (min–max)', 'wanted', 'reached'], ...lines];
}

function verdict({ median, wanted }: Ratio): string {
  if (wanted === undefined) return '–';
  return median >= wanted ? 'yes' : 'NO';
}

/** The other measurements: spread, latency, errors, CPU and memory. */
export function detailTable(rows: readonly Row[]): Table {
  const lines = rows.flatMap((row) =>
    row.measured.map(({ name, turns }) => {
      const rates = turns.map((turn) => rate(turn, row));
      const requests = turns.reduce((sum, turn) => sum + turn.requests, 0);
      const perRequest = (of: (turn: Turn) => number) =>
        figure((turns.reduce((sum, turn) => sum + of(turn), 0) / Math.max(1, requests)) * 1000);
      const noisy = turns.filter(isNoisy).length;
      const repeated = turns.reduce((sum, turn) => sum + turn.repeated, 0);
      return [
        row.work,
        name,
        `${figure(Math.min(...rates))} / ${figure(median(rates))} / ${figure(Math.max(...rates))} ${row.unit}`,
        figure(median(turns.map(({ p50 }) => p50))),
        figure(median(turns.map(({ p99 }) => p99))),
        String(turns.reduce((sum, { errors }) => sum + Object.values(errors).reduce((a, b) => a + b, 0), 0)),
        `${perRequest((turn) => turn.server)} / ${perRequest((turn) => turn.database)} / ${perRequest((turn) => turn.client)}`,
        figure(Math.max(...turns.map(({ peakMib }) => peakMib))),
        noisy + repeated === 0 ? '–' : `${repeated} repeated, ${noisy} kept`,
      ];
    }),
  );
  return [
    [
      'work',
      'who',
      'min / median / max',
      'p50 ms',
      'p99 ms',
      'errors',
      'CPU ms per request: server / database / client',
      'peak MiB',
      'noisy',
    ],
    ...lines,
  ];
}

/** Three significant digits, with thousands separators. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(value < 1 ? 2 : 3)));
}

export function markdown([head = [], ...lines]: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map(() => '---|').join('')}`, ...lines.map(line)].join('\n');
}

/** The same for a terminal. */
export function aligned(table: Table): string {
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0)));
  return table
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
