import { type Static, type TObject, type TObjectOptions, type TProperties, type TSchema, Type } from 'typebox';

const byName = new Map<string, TSchema>();

/** A named object schema: a component of the document, which any schema can refer to. */
export function component<P extends TProperties>(name: string, properties: P, options: TObjectOptions): TObject<P> {
  if (byName.has(name)) throw new Error(`Two components have the name ${name}`);
  const schema = Type.Object(properties, { ...options, $id: name });
  byName.set(name, schema);
  return schema;
}

/** Keyword of request schemas: names of properties whose null means that they were left out. */
export const NULL_IS_ABSENT = 'x-null-is-absent';

/** Keyword of request schemas: what null stands for, by property. Generators of clients know scalars alone as nullable. */
export const NULL_IS = 'x-null-is';

/**
 * An object that callers send. Records in answers are full of nulls, and parts of them are sent back: where null has no meaning of its
 * own, it counts as left out, and handlers never see it.
 */
export function requestComponent<P extends TProperties>(
  name: string,
  properties: P,
  options: TObjectOptions,
): TObject<P> {
  const required = new Set((Type.Object(properties) as { required?: string[] }).required);
  const cleared = Object.keys((options as { [NULL_IS]?: object })[NULL_IS] ?? {});
  const absent = Object.keys(properties).filter(
    (each) => !required.has(each) && !cleared.includes(each) && !takesNull(properties[each]),
  );
  const nullable = Object.fromEntries(
    Object.entries(properties).map(([each, schema]) => [
      each,
      absent.includes(each) ? Type.Optional(orNull(schema)) : schema,
    ]),
  ) as P;
  return component(name, nullable, { ...options, [NULL_IS_ABSENT]: absent });
}

type Shape = TSchema & { type?: string | string[]; enum?: unknown[] };

function takesNull(schema: Shape | undefined): boolean {
  return [schema?.type ?? []].flat().includes('null');
}

const SCALARS = new Set(['string', 'integer', 'number', 'boolean']);

/** The same for the document, as far as generators of clients know it: of scalars. */
function orNull(schema: Shape): TSchema {
  if (schema.enum !== undefined) return { ...schema, enum: [...schema.enum, null] };
  return typeof schema.type === 'string' && SCALARS.has(schema.type)
    ? { ...schema, type: [schema.type, 'null'] }
    : schema;
}

/** A reference to a component: OpenAPI shows a `$ref`, and TypeScript still knows the type. */
export function ref<T extends TSchema>(schema: T): ReturnType<typeof Type.Unsafe<Static<T>>> {
  const { $id } = schema as { $id?: string };
  if ($id === undefined) throw new Error('Only components can be referred to');
  return Type.Unsafe<Static<T>>(Type.Ref($id));
}

/** The components of all loaded modules, by name. */
export function components(): TSchema[] {
  return [...byName].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, schema]) => schema);
}

export const nullableString = (description: string, options: object = {}) =>
  Type.Unsafe<string | null>({ type: ['string', 'null'], description, ...options });
export const nullableInteger = (description: string) =>
  Type.Unsafe<number | null>({ type: ['integer', 'null'], description });
export const nullableNumber = (description: string) =>
  Type.Unsafe<number | null>({ type: ['number', 'null'], description });
export const nullableTime = (description: string) => nullableString(description, { format: 'date-time' });
export const text = (description: string, maxLength: number, options: object = {}) =>
  Type.String({ description, maxLength, ...options });

export const jsonObject = (description: string) =>
  Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true, description });

/** An id in a path: anything else is refused before PostgreSQL sees it. */
export const ItemId = Type.String({
  pattern: '^[1-9][0-9]{0,18}$',
  description: 'Id of a media item.',
  examples: ['42'],
});

export const ProblemSchema = component(
  'Problem',
  {
    type: Type.String({
      description: '`urn:mediakeep:error:` and the code.',
      examples: ['urn:mediakeep:error:not_found'],
    }),
    title: Type.String({
      description: 'What the code means in general.',
      examples: ['There is no such thing, or the token may not see it.'],
    }),
    status: Type.Integer({ description: 'The HTTP status.', examples: [404] }),
    detail: Type.String({
      description: 'What to change this time.',
      examples: ['There is no such item, or this token may not see it.'],
    }),
    code: Type.String({ description: 'Stable; new codes may be added. See docs/errors.md.', examples: ['not_found'] }),
    requestId: Type.String({
      description: 'Under this id the log tells more.',
      examples: ['0b5d6a52-6f0f-4d0f-9c53-1f6f2f7a9a11'],
    }),
    field: Type.Optional(Type.String({ description: 'The part of the request that is meant.', examples: ['userId'] })),
  },
  { description: 'A failure, as RFC 9457 has it.' },
);

const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: ref(ProblemSchema) } },
});

/** The error responses that every route has. */
export const problems = {
  '4XX': problem('The request cannot be served as it is; `code` and `detail` say what to change.'),
  default: problem('The service cannot serve the request just now; `Retry-After` says when to try again.'),
};

/** Media in a provider's answer that became no item. */
export const IgnoredMedia = component(
  'IgnoredMedia',
  {
    at: Type.String({ description: 'Where it stands in the answer.', examples: ['output.subtitles'] }),
    url: Type.Optional(
      Type.String({
        description: 'Its address or name, when it has one.',
        examples: ['https://cdn.example.com/out.srt'],
      }),
    ),
    reason: Type.String({
      description: 'Why it is no output.',
      examples: ['It is no image, audio, video or 3D model (.srt).'],
    }),
  },
  { description: "Media in a provider's answer that became no item: side files, drafts, echoes of the request." },
);

export const IDEMPOTENCY_KEY = Type.Optional(
  Type.String({
    description: 'Makes a retry safe for 24 hours: the same key and content get the same answer.',
    examples: ['6f1c7f0e'],
  }),
);
