import { expect, test } from 'vitest';
import { freePort } from '../../src/db/embedded/free-port.ts';
import { createDataFolder } from '../support/data-folder.ts';
import { runCommand } from '../support/run-command.ts';
import { spawnService } from '../support/service-process.ts';
import { JWT_SECRET } from '../support/test-app.ts';

test('a password that is not escaped: every way to start names the setting and the remedy, without a stack or the password', async () => {
  const folder = await createDataFolder('url');
  const starts = [...'#/?%'].map(async (character) => {
    const env = {
      DATABASE_URL: `postgres://me:horse${character}zattery@127.0.0.1:5432/x`,
      JWT_SECRET,
      DATA_DIR: folder.path,
    };
    const service = spawnService({ env: { ...env, PORT: '0' } });
    const outputs = [
      await service.ended.then((code) => `${code} ${service.output()}`),
      ...(await Promise.all(
        [['migrate'], ['doctor']].map(async (words) => {
          const { code, stdout, stderr } = await runCommand(words, env);
          return `${code} ${stdout}${stderr}`;
        }),
      )),
    ];
    for (const output of outputs) {
      expect(output).toMatch(/^[12] /);
      expect(output).toContain('DATABASE_URL: the URL holds a');
      expect(output).toContain(`write ${encodeURIComponent(character)} instead`);
      expect(output).not.toContain('    at ');
      expect(output).not.toMatch(/horse|zattery/);
    }
  });
  await Promise.all(starts);
  await folder.remove();
});

test('a database that cannot be reached: every way to start names the setting, the place and the remedy, without the password', async () => {
  const folder = await createDataFolder('unreached');
  const port = await freePort();
  for (const [url, place] of [
    [`postgres://me:horse@127.0.0.1:${port}/x`, `127.0.0.1:${port}`],
    ['postgres://me:horse@no-such-host.invalid/x', 'no-such-host.invalid'],
  ] as const) {
    const env = { DATABASE_URL: url, JWT_SECRET, DATA_DIR: folder.path };
    const service = spawnService({ env: { ...env, PORT: '0' } });
    const outputs = [
      await service.ended.then(() => service.output()),
      ...(await Promise.all(
        [['migrate'], ['verify'], ['rollups'], ['worker']].map(async (words) => {
          const { code, stdout, stderr } = await runCommand(words, env);
          return `${code} ${stdout}${stderr}`;
        }),
      )),
    ];
    for (const output of outputs) {
      expect(output).toContain('DATABASE_URL: the database');
      expect(output).toContain(place);
      expect(output).toContain('start it, or correct the address');
      expect(output).not.toContain('    at ');
      expect(output).not.toContain('horse');
    }
  }
  await folder.remove();
});
