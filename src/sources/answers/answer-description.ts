import type { JsonObject } from '../../json/json.ts';
import type { AnswerError } from './answer-error.ts';
import type { AnswerOutput, AnswerState } from './answer.ts';

/**
 * How the answers of one provider are read. All parts are optional: without any, states, errors, facts and outputs are found under the
 * names that are in general use. Paths have dots between names, and `[]` behind the name of a list.
 */
export interface AnswerDescription {
  /** Paths of the job's id. */
  id?: readonly string[];
  /** Paths of the job's state. */
  state?: readonly string[];
  /** The provider's own words for states, in lower case; or its numbers. */
  states?: Readonly<Record<string, AnswerState>>;
  /**
   * What an answer without a state is:
   * - `running`: work that goes on, unless there are outputs or an error (the default).
   * - `succeeded`: whole, with the outputs that it holds; none are none.
   * - `failed`: whole; without outputs it is a failure.
   */
  stateless?: 'running' | 'succeeded' | 'failed';
  /** Fields in which every address is a file, whatever its name. */
  anyNameIn?: readonly string[];
  /** Fields of a file's object with its path or key in a store, best first. */
  pathNames?: readonly string[];
  /** Outputs in a form of the provider's own, and the fields at the top in which they stand; the others are searched besides. */
  known?: (body: JsonObject) => KnownOutputs;
  /** Fields at the top whose outputs count while the job still runs. */
  whileRunning?: readonly string[];
  /** Paths of the request that the answer repeats. */
  inputs?: readonly string[];
  /** Paths of errors, beside the names in general use. */
  errors?: readonly string[];
  /** Reads an error in a form of the provider's own. */
  error?: (body: JsonObject, failed: boolean) => AnswerError | undefined;
  /** Paths of texts that stand in place of an output, such as a refusal in words. */
  texts?: readonly string[];
  /** Paths of facts about all outputs. */
  prompt?: readonly string[];
  model?: readonly string[];
  size?: readonly string[];
  quality?: readonly string[];
  /** Paths of the pictures' format, such as `webp`, where no content type stands beside them. */
  imageFormat?: readonly string[];
  /** Further facts by their names in `generation`. */
  facts?: Readonly<Record<string, readonly string[]>>;
  /** Facts in a form of the provider's own; those of `generation` are added. */
  read?: (body: JsonObject) => { prompt?: string; model?: string; size?: string; generation: JsonObject };
}

export interface KnownOutputs {
  outputs: AnswerOutput[];
  /** Fields at the top that were read. */
  fields: readonly string[];
  /** The outputs count while the job still runs: each was finished when it was sent. */
  whileRunning?: boolean;
}
