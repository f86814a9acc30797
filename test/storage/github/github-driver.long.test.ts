import { afterAll, afterEach, beforeAll } from 'vitest';
import { type FakeGithub, createFakeGithub } from '../../support/github/fake-github.ts';
import { type GithubStores, createGithubStores } from '../../support/github/github-store.ts';
import { driverContract } from '../driver-contract.ts';

let fake: FakeGithub;
let stores: GithubStores;
beforeAll(async () => {
  fake = await createFakeGithub();
  stores = await createGithubStores();
});
afterEach(() => fake.git.check());
afterAll(async () => {
  await stores.close();
  await fake.close();
});

driverContract('github', { range: true, list: true, maxObjectBytes: 25 * 1024 ** 2 }, async () => ({
  driver: await stores.open(fake, { batchWindowMs: 50 }),
  everything: async (prefix) =>
    (await fake.git.files('main', `file-library/${prefix}`))
      .map((file) => file.slice('file-library/'.length))
      .toSorted(),
  close: async () => {},
}));
