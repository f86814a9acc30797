import { EXAMPLES } from './examples.ts';

/** The parts of an OpenAPI document that the page shows. */
export interface Schema {
  $ref?: string;
  type?: string | readonly string[];
  format?: string;
  contentSchema?: Schema;
  description?: string;
  enum?: readonly unknown[];
  const?: unknown;
  default?: unknown;
  examples?: readonly unknown[];
  example?: unknown;
  items?: Schema;
  oneOf?: readonly Schema[];
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  additionalProperties?: unknown;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  minProperties?: number;
  pattern?: string;
}
export interface Parameter {
  in: 'path' | 'query' | 'header';
  name: string;
  required?: boolean;
  description?: string;
  example?: unknown;
  schema: Schema;
}
type Content = Readonly<Record<string, { schema?: Schema }>>;
interface ApiResponse {
  description: string;
  headers?: Readonly<Record<string, { description?: string; schema?: Schema }>>;
  content?: Content;
}
export interface Operation {
  operationId: string;
  tags: readonly string[];
  summary: string;
  description: string;
  security?: readonly Readonly<Record<string, unknown>>[];
  parameters?: readonly Parameter[];
  requestBody?: { content: Content };
  responses: Readonly<Record<string, ApiResponse>>;
}
export interface ApiDocument {
  info: { title: string; version: string; description: string };
  servers: readonly { url: string }[];
  tags: readonly { name: string; description: string }[];
  paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  components: { schemas: Readonly<Record<string, Schema>> };
}

/** An operation with where it is found. */
export interface Entry extends Operation {
  method: string;
  path: string;
}
export interface Group {
  name: string;
  description: string;
  entries: Entry[];
}

/** The groups in the order of the document's tags, the operations of each in the order of their examples. */
export function groupsOf(document: ApiDocument): Group[] {
  const order = Object.keys(EXAMPLES);
  const entries = Object.entries(document.paths)
    .flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => ({ ...operation, method: method.toUpperCase(), path })),
    )
    .toSorted((a, b) => order.indexOf(a.operationId) - order.indexOf(b.operationId));
  return document.tags.flatMap(({ name, description }) => {
    const own = entries.filter(({ tags }) => tags.includes(name));
    return own.length === 0 ? [] : [{ name, description, entries: own }];
  });
}

/** The name of a component that a schema refers to. */
export function nameOf({ $ref }: Schema): string | undefined {
  return $ref?.split('/').at(-1);
}

/** The schema, or the component that it refers to. */
export function resolved(document: ApiDocument, schema: Schema): Schema {
  const name = nameOf(schema);
  return name === undefined ? schema : (document.components.schemas[name] ?? schema);
}
