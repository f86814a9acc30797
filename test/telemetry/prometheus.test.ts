import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { png } from '../support/sample-files.ts';
import { hasProgram } from '../support/has-program.ts';
import { CHECKOUT } from '../support/service-process.ts';
import { type TestApp, asUser, createTestApp } from '../support/test-app.ts';

const RULES = path.join(CHECKOUT, 'deploy/prometheus/rules.yml');
const RULES_TEST = path.join(CHECKOUT, 'deploy/prometheus/rules.test.yml');
const DASHBOARD = path.join(CHECKOUT, 'deploy/grafana/mediakeep.json');

const skipped = !hasProgram('promtool', '--version');

let t: TestApp;
let text: string;
beforeAll(async () => {
  t = await createTestApp();
  const headers = { ...asUser('ann'), 'content-type': 'image/png' };
  await t.app.inject({ method: 'POST', url: '/v1/media', headers, payload: png() });
  await t.app.inject({ method: 'POST', url: '/v1/media', headers, payload: Buffer.from('no picture') });
  text = (await t.app.inject({ url: '/metrics' })).body;
});
afterAll(() => t.close());

test.skipIf(skipped)('promtool has nothing to complain of in the metrics', () => {
  const output = execFileSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  expect(output.trim()).toBe('');
});

test.skipIf(skipped)('each alert fires when it should, and a healthy service fires none', () => {
  execFileSync('promtool', ['check', 'rules', RULES], { stdio: 'pipe' });
  expect(execFileSync('promtool', ['test', 'rules', RULES_TEST], { encoding: 'utf8' })).toContain('SUCCESS');
  const alerts = [...readFileSync(RULES, 'utf8').matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
  const proven = [...readFileSync(RULES_TEST, 'utf8').matchAll(/name: (\w+) fires$/gm)].map(([, name]) => name);
  expect(proven).toEqual(alerts);
});

test('alerts and dashboard ask for metrics that there are, and all of ours have one prefix', () => {
  const known = [...text.matchAll(/^# TYPE (\S+) (\w+)$/gm)].flatMap(([, name = '', type]) =>
    type === 'histogram' ? [name, `${name}_bucket`, `${name}_count`, `${name}_sum`] : [name],
  );
  for (const name of known) expect(name).toMatch(/^(mediakeep|process|nodejs)_/);
  const dashboard = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as { panels: { targets: { expr: string }[] }[] };
  const asked = [
    readFileSync(RULES, 'utf8'),
    ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
  ].flatMap((source) => source.match(/\b(mediakeep|process|nodejs)_\w+/g) ?? []);
  expect(asked.length).toBeGreaterThan(30);
  for (const name of asked) expect(known).toContain(name);
});
