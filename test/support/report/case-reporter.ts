import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Reporter, TestCase, TestModule, TestRunEndReason, TestSpecification, Vitest } from 'vitest/node';
import { type ReportedTest, checkCases } from './hostile-cases.ts';
import { canMount } from '../storage/mounts.ts';

/** Fails a whole run in which a hostile case of docs/threat-model.md has no passing test. Partial runs are not checked. */
export class CaseReporter implements Reporter {
  #vitest: Vitest | undefined;
  #whole = false;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  async onTestRunStart(specifications: readonly TestSpecification[]): Promise<void> {
    const all = await this.#vitest?.globTestSpecifications();
    this.#whole = specifications.length === all?.length && this.#vitest?.getGlobalTestNamePattern() === undefined;
  }

  // Its output comes before the runner's summary, which the reporter after this one writes.
  onTestRunEnd(modules: readonly TestModule[], _errors: unknown, reason: TestRunEndReason): void {
    if (!this.#vitest || !this.#whole || reason === 'interrupted') return;
    const { root } = this.#vitest.config;
    const problems = checkCases(readFileSync(path.join(root, 'docs/threat-model.md'), 'utf8'), {
      projects: [...new Set(modules.map(({ project }) => project.name))],
      tests: modules.flatMap((module) => [...module.children.allTests()].map((test) => reported(root, test))),
      canMount: canMount(),
    });
    if (problems.length === 0) return;
    process.stderr.write(
      `\ndocs/threat-model.md and the tests of this run do not agree:\n  ${problems.join('\n  ')}\n`,
    );
    process.exitCode = 1;
  }
}

function reported(root: string, test: TestCase): ReportedTest {
  const titles = [test.name];
  for (let { parent } = test; parent.type === 'suite'; { parent } = parent) titles.unshift(parent.name);
  return { file: path.relative(root, test.module.moduleId), title: titles.join(' '), state: test.result().state };
}
