import type { Row } from './report.ts';
import type { Stage } from './stage.ts';

/** What a suite has to tell: rows of the common tables, and text of its own. */
export interface Section {
  title: string;
  /** How it was measured, in a sentence or two. */
  about: string;
  rows?: readonly Row[];
  /** Markdown. */
  text?: string;
}

export type Suite = (stage: Stage) => Promise<Section>;
