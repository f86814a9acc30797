import type { Json, JsonObject } from '../../json/json.ts';
import type { AnswerDescription } from './answer-description.ts';
import type { AnswerError } from './answer-error.ts';
import { errorOf } from './answer-error.ts';
import { type AnswerOutput, type AnswerState, type ProviderAnswer, progressOf } from './answer.ts';
import { errorIn, failureInside, layersOf, refusedRequest } from './failure.ts';
import { type FoundOutputs, ignoredOutput, searchOutputs } from './find-outputs.ts';
import { sideFile } from './media-text.ts';
import { asObject, nonBlankText, withoutNulls } from './json-access.ts';
import { firstAt, textAt, valuesAt } from './paths.ts';
import type { Refusal } from './refusals.ts';
import { announcesPiece, stateOf } from './state-words.ts';

const STATES = [
  'status',
  'state',
  'task_status',
  'taskStatus',
  'job_status',
  'jobStatus',
  'run_status',
  'job_state',
  'phase',
  'callbackType',
];
const DONE = ['done', 'completed', 'finished', 'is_finished', 'isFinished'];
const ABOUT = ['meta', 'metadata', 'extra', 'extra_info', 'inference_status'];
const INPUTS = ['input', 'inputs', 'request', 'params', 'parameters'];
/** Names of ids, costs and times, which say nothing of an end. */
const BOOKKEEPING =
  /(^|_|[a-z])(ids?|uuid|url|cost|credits?|position|eta|name|object|model|provider|version|usage|number|token|created(_?at)?|expires(_?at)?|request_?id|msg|message|code|status_code|status_msg|input_mp|output_mp)$/i;

const FACTS: Readonly<Record<string, readonly string[]>> = {
  seed: ['seed'],
  negativePrompt: ['negative_prompt', 'negativePrompt'],
  steps: ['num_inference_steps', 'inferenceSteps', 'steps'],
  cfgScale: ['guidance_scale', 'guidanceScale', 'cfg_scale'],
  timings: ['timings'],
  usage: ['usage'],
  cost: ['cost', 'total_cost', 'apiCreditCost', 'final_unit_deduction', 'credits_used', 'credits', 'price'],
};

/** Reads an answer as its description says. Takes any JSON and never throws. */
function readAnswer(description: AnswerDescription, response: unknown): ProviderAnswer {
  // The pieces of a stream, or results without anything about them.
  const body = Array.isArray(response) ? { results: response as Json[] } : asObject(response);
  const { state: said, word } = saidState(description, body);
  const unfinished = said === 'queued' || said === 'running';
  const { outputs, found } = outputsIn(description, body, unfinished);
  const format = textAt(body, description.imageFormat ?? []);
  if (format !== undefined) for (const output of outputs) output.contentType ??= `image/${format}`;
  const failed = said === 'failed' || said === 'canceled';
  const error = unfinished
    ? undefined
    : errorOfAnswer(description, body, { failed, empty: outputs.length === 0, said, refusals: found.refusals });
  const state = endState(description, body, { said, error, outputs: outputs.length });
  const own = description.read?.(body);
  return {
    id: textAt(body, description.id ?? ['id']),
    state,
    progress: progressIn(body),
    error: error ?? (state === 'failed' && outputs.length === 0 ? withoutReason(word) : undefined),
    outputs,
    ...(found.ignored.length > 0 && { ignored: found.ignored }),
    ...(failed && outputs.length > 0 && { partial: true }),
    prompt: own?.prompt ?? factText(body, description.prompt, ['prompt']),
    model: own?.model ?? modelName(factText(body, description.model, ['model', 'model_id', 'modelId', 'model_name'])),
    size: own?.size ?? textAt(body, description.size ?? ['size']),
    quality: textAt(body, description.quality ?? ['quality']),
    generation: { ...factsIn(body, description.facts), ...own?.generation },
  };
}

/** The outputs of a job, those of its own form first. While it runs, only finished ones count. */
function outputsIn(
  { known: read, inputs, anyNameIn, pathNames, whileRunning = [] }: AnswerDescription,
  body: JsonObject,
  unfinished: boolean,
): { outputs: AnswerOutput[]; found: FoundOutputs } {
  const known = read?.(body);
  const options = {
    inputs: (inputs ?? INPUTS).flatMap((path) => valuesAt(body, path)),
    ...(anyNameIn && { anyNameIn }),
    ...(pathNames && { pathNames }),
    ...(known && { skip: known.fields }),
  };
  const found = searchOutputs(body, options);
  const told = unfinished && known?.whileRunning !== true ? [] : (known?.outputs ?? []);
  const ignored = [...found.ignored];
  const outputs = told.flatMap((output) => {
    const [first] = output.from;
    const side = first && sideFile(first, output.filename, output.contentType);
    if (side !== undefined)
      ignored.push(ignoredOutput('', first, `It is no image, audio, video or 3D model (${side}).`));
    return side === undefined ? [output] : [];
  });
  if (!unfinished) return { outputs: [...outputs, ...found.outputs], found: { ...found, ignored } };
  const early = searchOutputs(
    Object.fromEntries(whileRunning.map((name) => [name, body[name] ?? null])),
    options,
  ).outputs;
  const isEarly = new Set(early.map(({ from }) => JSON.stringify(from[0])));
  for (const { from } of found.outputs)
    if (!isEarly.has(JSON.stringify(from[0]))) ignored.push(ignoredOutput('', from[0], 'The work is not finished.'));
  return { outputs: [...outputs, ...early], found: { ...found, ignored } };
}

/** A reader of answers that a description describes. */
export function readerOf(description: AnswerDescription): (response: unknown) => ProviderAnswer {
  return (response) => readAnswer(description, response);
}

function withoutReason(word: string | undefined): AnswerError {
  return {
    ...(word !== undefined && { class: word }),
    message: `the provider gave no output and no reason${word === undefined ? '' : ` (${word})`}`,
  };
}

/** The state that the answer says, and its word for it. */
function saidState(
  { state, states }: AnswerDescription,
  body: JsonObject,
): { state?: AnswerState | undefined; word?: string | undefined } {
  const layers = state ? [] : layersOf(body);
  const words = [
    ...(state ?? []).flatMap((path) => valuesAt(body, path)),
    ...layers.flatMap((layer) => STATES.map((name) => layer[name])),
  ];
  for (const word of words) {
    if (typeof word !== 'string' && typeof word !== 'number') continue;
    // A number means something to its provider alone.
    const known = typeof word === 'string' ? stateOf(word, states) : states?.[String(word)];
    if (known) return { state: known, word: String(word) };
  }
  for (const layer of state ? [body] : layers)
    for (const name of DONE)
      if (typeof layer[name] === 'boolean') return { state: layer[name] ? 'succeeded' : 'running' };
  // The name of an event: `image_generation.completed`, `prompt.failed`.
  for (const name of ['type', 'event', 'event_type']) {
    const event = nonBlankText(body[name]);
    if (announcesPiece(event)) return { state: 'running', word: event };
    if (event === 'error') return { state: 'failed' };
    const known =
      event !== undefined && /[a-z]\.[a-z]/i.test(event) ? stateOf(event.split('.').at(-1), states) : undefined;
    if (known) return { state: known, word: event };
  }
  return {};
}

interface Reading {
  failed: boolean;
  empty: boolean;
  said: AnswerState | undefined;
  refusals: readonly Refusal[];
}

function errorOfAnswer(
  { error, errors, texts }: AnswerDescription,
  body: JsonObject,
  { failed, empty, said, refusals }: Reading,
): AnswerError | undefined {
  const described =
    error?.(body, failed) ??
    (errors ?? [])
      .flatMap((path) => valuesAt(body, path))
      .map((value) => errorOf(value, body))
      .find((each) => each !== undefined);
  const common = errorIn(body, failed);
  const own = described && common?.message.startsWith(`${described.message}: `) !== true ? described : common;
  if (own) return said === 'canceled' && own.class === undefined ? { ...own, class: 'canceled' } : own;
  const told = empty ? refusals : refusals.filter(({ mild }) => mild !== true);
  const refusal = told.find(({ bare }) => bare !== true) ?? told[0];
  const text = empty ? textAt(body, texts ?? []) : undefined;
  if (refusal && (refusal.bare !== true || text === undefined))
    return { class: refusal.class, message: refusal.message };
  if (text !== undefined) return { class: refusal?.class, message: text };
  if (!empty) return undefined;
  return failureInside(body) ?? (said === undefined ? refusedRequest(body) : undefined);
}

function endState(
  { stateless = 'running' }: AnswerDescription,
  body: JsonObject,
  { said, error, outputs }: { said: AnswerState | undefined; error: AnswerError | undefined; outputs: number },
): AnswerState {
  if (said !== undefined && said !== 'succeeded') return said;
  // With an error and some outputs the job has succeeded, and the error is kept; with an error and no output it has failed.
  if (outputs > 0) return 'succeeded';
  if (error) return 'failed';
  if (said === 'succeeded') return said;
  return progressIn(body) !== undefined || isBookkeeping(body, 0) ? 'running' : stateless;
}

/** Whether an answer names its job and nothing more: the work has begun. */
function isBookkeeping(body: Json, depth: number): boolean {
  const entries = Object.entries(asObject(body));
  if (entries.length === 0) return false;
  return (
    (depth > 0 ||
      entries.some(([name]) => /(^|_|[a-z])(ids?|uuid|name)$|sdGenerationJob|polling_url|^data$/i.test(name))) &&
    entries.every(([name, value]) =>
      typeof value === 'object' && value !== null
        ? !Array.isArray(value) &&
          (Object.keys(value).length === 0 || name === 'metadata' || (depth < 2 && isBookkeeping(value, depth + 1)))
        : value === null || BOOKKEEPING.test(name),
    )
  );
}

function progressIn(body: JsonObject): number | undefined {
  return layersOf(body)
    .map((layer) => progressOf(layer['progress']) ?? progressOf(asObject(layer['progress'])['value']))
    .find((each) => each !== undefined);
}

/** Where facts stand: the answer and what it wraps, what is said about them, and what the request said. */
function factLayersOf(body: JsonObject): JsonObject[] {
  const layers = layersOf(body);
  return [
    ...layers,
    ...[ABOUT, INPUTS].flatMap((names) => layers.flatMap((layer) => names.map((name) => asObject(layer[name])))),
  ];
}

/** A fact at its own paths, else under its names in any layer, else in what the request said. */
function factText(
  body: JsonObject,
  paths: readonly string[] | undefined,
  names: readonly string[],
): string | undefined {
  const own = paths && textAt(body, paths);
  if (own !== undefined) return own;
  for (const layer of factLayersOf(body)) {
    const text = names.map((name) => nonBlankText(layer[name])).find((each) => each !== undefined);
    if (text !== undefined) return text;
  }
  return undefined;
}

/** `model` may be the address of a mesh that was made. */
function modelName(text: string | undefined): string | undefined {
  return text === undefined || /^(https?|data|s3):/i.test(text) || text.length > 2000 ? undefined : text;
}

function factsIn(body: JsonObject, more: AnswerDescription['facts'] = {}): JsonObject {
  const layers = factLayersOf(body);
  const common = Object.entries(FACTS).map(([fact, names]) => {
    const value = layers
      .flatMap((layer) => names.map((name) => layer[name]))
      .find((each) => each !== undefined && each !== null);
    return [fact, value] as const;
  });
  const own = Object.entries(more).map(([fact, paths]) => [fact, firstAt(body, paths)] as const);
  return withoutNulls(Object.fromEntries([...common, ...own.filter(([, value]) => value !== undefined)]));
}
