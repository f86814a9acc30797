import { describe, expect, test } from 'vitest';
import type { ProviderAnswer } from '../../../src/sources/answers/answer.ts';
import { type Provider, providerOf } from '../../../src/sources/providers/registry.ts';

/** An answer as a provider sends it, and what has to become of it. */
export interface RealAnswer {
  name: string;
  answer: unknown;
  /** `done` (the default), `failed`, or `running`. */
  state?: 'done' | 'failed' | 'running';
  /** The first place of each output, in any order; none when left out. */
  outputs?: readonly string[];
  /** Places that are told as no output; others may be. */
  ignored?: readonly string[];
  /** What the error's message holds. */
  error?: string;
  /** Fields of the answer as it is read, such as `prompt`. */
  facts?: object;
  /** Facts of single outputs, by their first place. */
  each?: Readonly<Record<string, object>>;
}

const HEADS = {
  png: '\x89PNG\r\n\x1a\n',
  mp4: '\0\0\0\x20ftypisom',
  mp3: 'ID3\x04\0',
  wav: 'RIFF\0\0\0\0WAVE',
  webp: 'RIFF\0\0\0\0WEBP',
};

/** Base64 that begins as such a file does; another number, another file. */
export function base64Of(kind: keyof typeof HEADS, number = 1): string {
  return Buffer.concat([Buffer.from(HEADS[kind], 'latin1'), Buffer.alloc(200, number)]).toString('base64');
}

export const url = (name: string) => `https://cdn.example.com/${name}`;

/** Media files that a text of an answer names for certain. */
const MEDIA = /^https?:\/\/\S+\.(png|jpe?g|webp|gif|mp4|webm|mp3|wav|glb)(\?\S*)?$/i;

/** Writes a test for each answer, and checks the law for all: media becomes an output or is told as ignored. */
export function describeAnswers(provider: Provider, answers: readonly RealAnswer[]): void {
  describe(`answers of ${provider}`, () => {
    test.each(answers.map((each) => [each.name, each] as const))('%s', (_name, { answer, ...wanted }) => {
      const read = providerOf(provider).parse(answer);
      const outputs = read.outputs.map(({ from }) => textOf(from[0]));
      expect({ state: stateOf(read), outputs: outputs.toSorted() }).toEqual({
        state: wanted.state ?? 'done',
        outputs: [...(wanted.outputs ?? [])].toSorted(),
      });
      const told = (read.ignored ?? []).map((each) => each.url);
      for (const each of wanted.ignored ?? []) expect(told).toContain(each);
      if (wanted.error !== undefined) expect(read.error?.message).toContain(wanted.error);
      if (wanted.state === undefined && wanted.error === undefined) expect(read.error).toBeUndefined();
      if (wanted.facts) expect(read).toMatchObject(wanted.facts);
      for (const [at, facts] of Object.entries(wanted.each ?? {}))
        expect(read.outputs.find(({ from }) => textOf(from[0]) === at)).toMatchObject(facts);
      const found = new Set([...read.outputs.flatMap(({ from }) => from.map((one) => textOf(one))), ...told]);
      for (const text of textsIn(answer)) if (MEDIA.test(text)) expect(found).toContain(text);
    });
  });
}

function stateOf({ state }: ProviderAnswer): RealAnswer['state'] {
  if (state === 'queued' || state === 'running') return 'running';
  return state === 'succeeded' ? 'done' : 'failed';
}

function textOf(from: ProviderAnswer['outputs'][number]['from'][number] | undefined): string {
  if (from?.type === 'url') return from.url;
  if (from?.type === 'base64') return from.data;
  return from?.type === 'object' ? from.path : '';
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap((each) => textsIn(each)) : [];
}
