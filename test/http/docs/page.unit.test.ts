import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type ApiDocument, groupsOf } from '../../../src/http/docs/document.ts';
import { EXAMPLES, SETUP } from '../../../src/http/docs/examples.ts';
import { variablesSet, variablesUsed } from '../../../src/http/docs/operation.ts';
import { referencePage } from '../../../src/http/docs/page.ts';

let document: ApiDocument;
let page: string;
beforeAll(() => {
  document = parse(readFileSync(new URL('../../../openapi.yaml', import.meta.url), 'utf8')) as ApiDocument;
  page = referencePage(document);
});

const operationsOf = ({ paths }: ApiDocument) => Object.values(paths).flatMap((path) => Object.values(path));

test('every operation has an example, and every example an operation', () => {
  expect(Object.keys(EXAMPLES).toSorted()).toEqual(
    operationsOf(document)
      .map(({ operationId }) => operationId)
      .toSorted(),
  );
});

test('every operation carries its example for other tools', () => {
  for (const operation of operationsOf(document))
    expect(operation).toMatchObject({
      'x-codeSamples': [{ lang: 'Shell', source: EXAMPLES[operation.operationId] as string }],
    });
});

test('an example reads no variable that was not set before it', () => {
  const known = new Set(variablesSet(SETUP('http://127.0.0.1:8080')));
  for (const { operationId } of groupsOf(document).flatMap(({ entries }) => entries)) {
    const example = EXAMPLES[operationId] ?? '';
    for (const name of variablesSet(example)) known.add(name);
    const comments = /^#.*$/gm;
    for (const name of variablesUsed(example.replaceAll(comments, ''))) expect(known, operationId).toContain(name);
  }
});

test('groups and operations come in the order of use', () => {
  const groups = groupsOf(document);
  expect(groups.map(({ name }) => name)).toEqual([
    'Media',
    'Delivery',
    'Search',
    'Import',
    'Jobs',
    'Webhooks',
    'Uploads',
    'Runs',
    'Scenes',
    'Events',
    'Compatibility',
    'Operations',
  ]);
  expect(groups.flatMap(({ entries }) => entries)).toHaveLength(operationsOf(document).length);
  expect(groups[0]?.entries.map(({ operationId }) => operationId).slice(0, 2)).toEqual([
    'createMedia',
    'createMediaBytes',
  ]);
});

test('an operation shows its example first, then its body, its query and its responses', () => {
  const section = page.slice(page.indexOf('id="createMedia"'), page.indexOf('id="createMediaBytes"'));
  const places = ['<pre>', 'Body: JSON', 'Body: form', 'Body: raw bytes', '>Query<', '>Headers<', '>Responses<'].map(
    (part) => section.indexOf(part),
  );
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(places[0]).toBeGreaterThan(0);
});

test('ids are unique, and every link within the page has a target', () => {
  const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const targets = [...page.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
  expect(targets.length).toBeGreaterThan(100);
  expect(targets.filter((id) => !ids.includes(id))).toEqual([]);
});

test('the page has no scripts, no inline styles and loads nothing', () => {
  expect(page).not.toMatch(/<script|<img|<link|<iframe| style="| on\w+="|src="/i);
});

test('whatever the document says, it stays text', () => {
  const hostile = `"><script>alert('x')</script>\`<img src=x onerror=alert(1)>\``;
  const texts = new Set(['description', 'summary', 'title', 'default', 'pattern']);
  const anyText = (value: unknown, key = ''): unknown => {
    if (typeof value === 'string') return texts.has(key) ? hostile : value;
    if (Array.isArray(value)) return key === 'examples' ? [hostile] : value.map((entry) => anyText(entry));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, anyText(entry, name)]));
  };
  const text = referencePage(anyText(document) as ApiDocument);
  expect(text).toContain('&lt;script&gt;');
  expect(text).not.toMatch(/<script|<img|onerror=alert\(1\)>/);
});
