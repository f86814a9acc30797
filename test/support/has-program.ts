import { execFileSync } from 'node:child_process';

/** Whether a program is installed; otherwise says that its tests are skipped. */
export function hasProgram(name: string, versionFlag: string): boolean {
  try {
    execFileSync(name, [versionFlag], { stdio: 'ignore' });
    return true;
  } catch {
    process.stdout.write(`${name} is not installed: its tests are skipped\n`);
    return false;
  }
}
