import { expect, test } from 'vitest';
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
