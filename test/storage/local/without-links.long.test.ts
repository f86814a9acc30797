import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createLocalVolume, filesBelow } from '../../support/storage/local-volume.ts';
import { failingFiles } from '../../support/storage/failing-files.ts';
import { driverContract } from '../driver-contract.ts';

/** As rclone, s3fs, sshfs, CIFS and NFS mounts answer. */
const LINK = ['EIO', 'EINVAL', 'EACCES', 'EPERM', 'ENOSYS', 'ENOTSUP', 'EMLINK', 'EXDEV'];

const SYNC = ['EIO', 'EINVAL', 'EBADF', 'ENOTSUP'];
const CAPABILITIES = { range: true, list: true, largeMiB: 8 };
/** Its syncs take no time. */
const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

for (const [index, link] of LINK.entries()) {
  const sync = SYNC[index % SYNC.length] ?? '';
  const failing = (call: string) => ({ link, 'open.sync': sync })[call];
  driverContract(`local, links fail with ${link}, syncs of folders with ${sync}`, CAPABILITIES, async () => {
    const volume = await createLocalVolume({ files: failingFiles(failing), inside: MEMORY });
    return {
      driver: volume.driver,
      everything: async (prefix) =>
        (await filesBelow(path.join(volume.root, prefix))).map((file) => `${prefix}/${file}`).toSorted(),
      close: () => volume.close(),
    };
  });
}
