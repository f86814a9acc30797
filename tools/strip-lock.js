// Removes download addresses from package-lock.json: they name one registry's host and add nothing to the integrity hashes.
import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
for (const entry of Object.values(lock.packages)) if (/^https?:/.test(entry.resolved ?? '')) delete entry.resolved;
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
