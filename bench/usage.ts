import { readFileSync, readdirSync } from 'node:fs';

// Resource usage of processes, from /proc. Linux only.

/** /proc counts CPU time in hundredths of a second on every common Linux. */
const TICKS_PER_SECOND = 100;
const KERNEL_THREADS = 2;

interface Entry {
  pid: number;
  parent: number;
  /** Ticks of the process itself, and of children that were waited for. */
  own: number;
  ended: number;
}

export interface Snapshot {
  /** Milliseconds. */
  at: number;
  entries: Map<number, Entry>;
  /** Ticks that the hypervisor gave to other machines. */
  stolen: number;
}

export function snapshot(): Snapshot {
  const entries = new Map<number, Entry>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!(pid > 0)) continue;
    const entry = entryOf(pid);
    if (entry) entries.set(pid, entry);
  }
  // user, nice, system, idle, iowait, irq, softirq, steal
  const stolen = Number(/^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]?.split(' ')[7] ?? 0);
  return { at: performance.now(), entries, stolen };
}

function entryOf(pid: number): Entry | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The name is in parentheses and may contain anything.
  const [, parent, , , , , , , , , , user, system, endedUser, endedSystem] = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  return {
    pid,
    parent: parent ?? 0,
    own: (user ?? 0) + (system ?? 0),
    ended: (endedUser ?? 0) + (endedSystem ?? 0),
  };
}

/** CPU ticks of one process without its children. */
function ticksOf({ entries }: Snapshot, pid: number): number {
  return entries.get(pid)?.own ?? 0;
}

/** CPU ticks of a process and all its descendants, including ended ones. */
function ticksOfTree(seen: Snapshot, root: number): number {
  return sum(seen, (entry) => descendsFrom(seen.entries, entry, root));
}

function sum({ entries }: Snapshot, counts: (entry: Entry) => boolean): number {
  let ticks = 0;
  for (const entry of entries.values()) if (counts(entry)) ticks += entry.own + entry.ended;
  return ticks;
}

/**
 * CPU ticks of unrelated processes, without kernel threads, which write the measured data to disk. A measured daemon, such as
 * Ceph's, is no descendant of this process.
 */
function ticksOfOthers(seen: Snapshot, measured: readonly number[]): number {
  const { entries, stolen } = seen;
  const roots = [process.pid, KERNEL_THREADS, ...measured];
  const ours = (entry: Entry) => roots.some((root) => descendsFrom(entries, entry, root));
  return stolen + sum(seen, (entry) => !ours(entry));
}

function descendsFrom(entries: Map<number, Entry>, entry: Entry, root: number): boolean {
  for (let at: Entry | undefined = entry; at; at = entries.get(at.parent)) if (at.pid === root) return true;
  return false;
}

export interface Parts {
  /** Processes of the server, each with its descendants. */
  server: readonly number[];
  database: readonly number[];
  client: number;
}

export interface Usage {
  /** CPU seconds. */
  server: number;
  database: number;
  client: number;
  /** Processors that unrelated processes used on average. */
  others: number;
}

/** CPU time between two snapshots. All descendants of this process and of the measured ones count as ours. */
export function usageBetween(before: Snapshot, after: Snapshot, { server, database, client }: Parts): Usage {
  const trees = (roots: readonly number[]) =>
    roots.reduce((sum, root) => sum + ticksOfTree(after, root) - ticksOfTree(before, root), 0);
  const seconds = (after.at - before.at) / 1000;
  const measured = [...server, ...database];
  return {
    server: trees(server) / TICKS_PER_SECOND,
    database: trees(database) / TICKS_PER_SECOND,
    client: (ticksOf(after, client) - ticksOf(before, client)) / TICKS_PER_SECOND,
    others: Math.max(
      0,
      (ticksOfOthers(after, measured) - ticksOfOthers(before, measured)) / TICKS_PER_SECOND / seconds,
    ),
  };
}

/** Resident memory in MiB; 0 when the process has ended. */
export function residentMib(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** Measures the total memory of some processes, until it is stopped. */
export function watchMemory(pids: readonly number[], everyMs = 100): () => { before: number; peak: number } {
  const sum = () => pids.reduce((total, pid) => total + residentMib(pid), 0);
  const before = sum();
  let peak = before;
  const look = () => {
    peak = Math.max(peak, sum());
  };
  const timer = setInterval(look, everyMs);
  return () => {
    clearInterval(timer);
    look();
    return { before, peak };
  };
}

/** The child of this process whose command line contains all of `words`. */
export function findChild(...words: string[]): number | undefined {
  for (const entry of snapshot().entries.values()) {
    if (entry.parent !== process.pid) continue;
    let line: string[];
    try {
      line = readFileSync(`/proc/${entry.pid}/cmdline`, 'utf8').split('\0');
    } catch {
      continue;
    }
    if (words.every((word) => line.includes(word))) return entry.pid;
  }
  return undefined;
}
