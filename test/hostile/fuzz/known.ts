import type { Operation } from './document.ts';
import type { Link } from './wire.ts';

const MOST = 16;
/** Used when nothing of a kind is known yet. */
const FALLBACK: Readonly<Record<string, string>> = {
  item: '1',
  run: 'run-1',
  job: 'job-1',
  project: 'a1b2c3d4-0000-4000-8000-000000000001',
  scene: 'scene-1',
  upload: 'a1b2c3d4-0000-4000-8000-000000000002',
  delivery: '1',
  key: 'outputs/alice/none.png',
};
/** Kinds for which some made-up values are used besides those of responses. */
const MADE_UP: Readonly<Record<string, readonly string[]>> = {
  job: ['job-1', 'job-2', 'job-3'],
  project: ['a1b2c3d4-0000-4000-8000-000000000001', 'a1b2c3d4-0000-4000-8000-000000000003'],
  scene: ['scene-1', 'scene-2'],
  external: ['old-1', 'old-2'],
  tag: ['fox', 'snow'],
  idempotency: ['key-1', 'key-2', 'key-3', 'key-4', 'key-5'],
};
/** Response fields, and the kind of their values. */
const FIELDS: Readonly<Record<string, string>> = {
  runId: 'run',
  jobId: 'job',
  projectId: 'project',
  sceneId: 'scene',
  externalId: 'external',
  nextCursor: 'cursor',
  storageKey: 'key',
  storageUrl: 'address',
  sha256: 'sha256',
  tag: 'tag',
};

/** Values of earlier responses, for later requests. */
export class Known {
  readonly #values = new Map<string, string[]>();
  readonly #origin: string;
  /** Tokens of signed URLs, which need no other proof. */
  readonly tokens = new Set<string>();

  constructor(origin: string) {
    this.#origin = origin;
    for (const [kind, values] of Object.entries(MADE_UP)) this.#values.set(kind, [...values]);
  }

  value({ kind, pick }: Link): string {
    if (kind === 'origin') return `${this.#origin}/ok/${pick % 50}.png`;
    const values = this.#values.get(kind) ?? [];
    return values[pick % Math.max(1, values.length)] ?? FALLBACK[kind] ?? 'x';
  }

  /** The token that came with an upload's id. */
  tokenOf(upload: string): string | undefined {
    return this.#values.get(`uploadToken ${upload}`)?.[0];
  }

  learn({ id: operationId }: Operation, answer: unknown): void {
    this.#walk(operationId, answer);
  }

  #add(kind: string, value: unknown): void {
    if (typeof value !== 'string' || value === '') return;
    const values = this.#values.get(kind) ?? [];
    if (values.includes(value)) return;
    values.push(value);
    if (values.length > MOST) values.splice(MADE_UP[kind]?.length ?? 0, 1);
    this.#values.set(kind, values);
  }

  #walk(operationId: string, value: unknown): void {
    if (Array.isArray(value)) return value.forEach((entry) => this.#walk(operationId, entry));
    if (typeof value !== 'object' || value === null) return;
    const fields = value as Record<string, unknown>;
    for (const [name, kind] of Object.entries(FIELDS)) this.#add(kind, fields[name]);
    if ('storageUrl' in fields) this.#add('item', fields['id']);
    if (operationId === 'listParkedWebhooks') this.#add('delivery', fields['id']);
    const { url } = fields;
    const signed = typeof url === 'string' ? /\/v1\/signed\/([^?/]+)/.exec(url)?.[1] : undefined;
    if (signed !== undefined) {
      this.#add('signed', signed);
      this.tokens.add(signed);
    }
    const upload = typeof url === 'string' ? /\/v1\/uploads\/([^/]+)\/content\?token=([^&]+)/.exec(url) : null;
    if (upload?.[1] !== undefined && upload[2] !== undefined) {
      this.#add('upload', upload[1]);
      this.#add('uploadToken', upload[2]);
      this.#values.set(`uploadToken ${upload[1]}`, [upload[2]]);
      this.tokens.add(upload[2]);
    }
    Object.values(fields).forEach((entry) => this.#walk(operationId, entry));
  }
}
