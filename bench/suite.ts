import type { Row } from './report.ts';
import type { Stage } from './stage.ts';

/** The result of a suite: rows of the common tables, and further text. */
export interface Section {
  title: string;
  /** How it was measured, in a sentence or two. */
  about: string;
  rows?: readonly Row[];
  /** Markdown. */
  text?: string;
}

export type Suite = (stage: Stage) => Promise<Section>;
