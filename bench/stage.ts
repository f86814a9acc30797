import type { DataFolder } from '../test/support/data-folder.ts';
import { createDataFolder } from '../test/support/data-folder.ts';
import { type Load, startLoad } from './load-process.ts';

export interface StageOptions {
  rounds: number;
  /** Seconds of one turn of one server. */
  seconds: number;
  /** Maximum repetitions of a noisy turn. */
  repeats: number;
  /** File size of the memory suite. */
  hugeBytes: number;
}

/** Resources of a run: a folder, the load process, and what must be stopped with it. */
export interface Stage extends StageOptions {
  /** One folder for everything, so that all servers write to the same file system. */
  folder: string;
  load: Load;
  log(line: string): void;
  /** Run in reverse order. */
  atEnd(work: () => Promise<unknown>): void;
  end(): Promise<void>;
}

export async function openStage(options: StageOptions): Promise<Stage> {
  const folder: DataFolder = await createDataFolder('bench');
  const load = startLoad();
  const endings: (() => Promise<unknown>)[] = [() => folder.remove(), async () => load.stop()];
  let ending: Promise<void> | undefined;
  const endAll = async () => {
    for (let work = endings.pop(); work; work = endings.pop())
      await work().catch((error: unknown) => process.stderr.write(`while ending: ${String(error)}\n`));
  };
  return {
    ...options,
    folder: folder.path,
    load,
    log: (line) => void process.stdout.write(`${line}\n`),
    atEnd: (work) => {
      endings.push(work);
      // Whatever is registered during the shutdown is shut down with it.
      if (ending) ending = ending.then(endAll);
    },
    end: () => (ending ??= endAll()),
  };
}
