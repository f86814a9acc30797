import { expect, test } from 'vitest';
import { fieldList, fieldsOfParameters, fieldsOfSchema, limitsOf, typeOf } from '../../../src/http/docs/fields.ts';

test.each([
  [{ maxLength: 262_144 }, ['at most 262,144 characters']],
  [{ minLength: 1, maxLength: 5 }, ['1 to 5 characters']],
  [{ minimum: 0 }, ['at least 0']],
  [{ minItems: 1, maxItems: 100, items: { maxLength: 9 } }, ['1 to 100 entries', 'each at most 9 characters']],
  [{ maxItems: 2, items: { $ref: '#/components/schemas/Item', maxLength: 9 } }, ['at most 2 entries']],
  [{ pattern: '^a$' }, ['matches ^a$']],
  [{ minProperties: 1 }, ['at least 1 fields']],
  [{}, []],
])('the limits %o are said in words', (schema, expected) => {
  expect(limitsOf(schema)).toEqual(expected);
});

test.each([
  [{ type: 'string', format: 'date-time' }, 'string (date-time)'],
  [{ type: ['integer', 'null'] }, 'integer or null'],
  [{ enum: ['a', 1] }, '<code>a</code> or <code>1</code>'],
  [{ const: 'a' }, '<code>a</code>'],
  [{ type: 'array', items: { $ref: '#/components/schemas/Item' } }, 'array of <a href="#Item">Item</a>'],
  [
    { oneOf: [{ $ref: '#/components/schemas/A' }, { $ref: '#/components/schemas/B' }] },
    '<a href="#A">A</a> or <a href="#B">B</a>',
  ],
  [{}, 'any'],
])('the type of %o is named', (schema, expected) => {
  expect(typeOf(schema).text).toBe(expected);
});

test('a field is shown with its type, whether it is required, limits, default and example', () => {
  const [field] = fieldsOfParameters([
    {
      in: 'query',
      name: 'limit',
      required: true,
      description: 'Items on a page.',
      example: 5,
      schema: { type: 'integer', minimum: 1, maximum: 200, default: 50 },
    },
  ]);
  const words = fieldList([field!])
    .text.replaceAll(/<[^>]+>/g, ' ')
    .replaceAll(/\s+/g, ' ');
  expect(words.trim()).toBe('limit integer required Items on a page. 1 to 200. Default 50 . Example 5');
});

test('fields inside of a field are listed below it', () => {
  const fields = fieldsOfSchema({
    properties: { outer: { type: 'object', properties: { inner: { type: 'string' } }, required: ['inner'] } },
  });
  expect(fieldList(fields).text).toMatch(/outer.*<dl class="fields">.*inner.*required/s);
  expect(fieldList(fields, 'optional').text).toMatch(/outer.*optional.*inner/s);
});
