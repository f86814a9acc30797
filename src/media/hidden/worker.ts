import { parentPort, workerData } from 'node:worker_threads';
import type { HiddenPixels } from './probe.ts';
import { readPixels } from './read-pixels.ts';

parentPort?.postMessage(await readPixels(workerData as HiddenPixels));
