import { Ajv2020 } from 'ajv/dist/2020.js';
import ajvFormats from 'ajv-formats';

/** A JSON schema, with the properties that the arbitraries read. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  oneOf?: Schema[];
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  pattern?: string;
  format?: string;
}

interface Answer {
  content?: Record<string, { schema?: Schema }>;
}

export interface Parameter {
  in: 'path' | 'query' | 'header';
  name: string;
  required?: boolean;
  schema: Schema;
}

interface OperationObject {
  operationId: string;
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, Answer>;
}

export interface Operation {
  id: string;
  method: string;
  path: string;
  parameters: Parameter[];
  bodies: Record<string, Schema>;
  responses: Record<string, Answer>;
}

export interface ApiDocument {
  operations: Operation[];
  /** Resolves a reference. */
  schema(schema: Schema): Schema;
  /** The document's response for a status: its own entry, that of its hundred, or, for a failure, the default. */
  answerFor(operation: Operation, status: number): Answer | undefined;
  /** Why a value does not fit; undefined: it fits. */
  complaint(schema: Schema, value: unknown): string | undefined;
}

export function readDocument(served: unknown): ApiDocument {
  const document = served as {
    paths: Record<string, Record<string, OperationObject>>;
    components: { schemas: Record<string, Schema> };
  };
  const ajv = new Ajv2020({ strict: false, allErrors: false });
  ajvFormats.default(ajv);
  ajv.addSchema({ ...document, $id: 'document' });
  return {
    operations: Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        id: operation.operationId,
        method: method.toUpperCase(),
        path,
        parameters: operation.parameters ?? [],
        bodies: Object.fromEntries(
          Object.entries(operation.requestBody?.content ?? {}).map(([type, { schema }]) => [type, schema]),
        ),
        responses: operation.responses,
      })),
    ),
    schema({ $ref, ...schema }) {
      if ($ref === undefined) return schema;
      const found = document.components.schemas[$ref.split('/').at(-1) ?? ''];
      if (!found) throw new Error(`The document has no ${$ref}`);
      return found;
    },
    answerFor: ({ responses }, status) =>
      responses[status] ??
      responses[`${Math.floor(status / 100)}XX`] ??
      (status >= 400 ? responses['default'] : undefined),
    complaint({ $ref, ...rest }, value) {
      const validate = ajv.getSchema(`document${$ref ?? ''}`) ?? ajv.compile(rest);
      return validate(value) ? undefined : ajv.errorsText(validate.errors);
    },
  };
}
