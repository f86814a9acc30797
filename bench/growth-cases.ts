import type { Db } from '../src/db/database.ts';
import { tsqueryOf } from '../src/domain/words/query.ts';
import { readEvents } from '../src/db/events.ts';
import { countFetches, takeFetch } from '../src/db/jobs/fetches.ts';
import { findJob } from '../src/db/jobs/jobs.ts';
import { takeExpiredIntents } from '../src/db/objects/intents.ts';
import type { ItemFilter, Position } from '../src/db/search/item-filter.ts';
import { findJobOutputs } from '../src/db/jobs/job-outputs.ts';
import { takePoll } from '../src/db/jobs/job-polls.ts';
import { countPending, takePendingLocations } from '../src/db/objects/locations.ts';
import { catchUpRollups } from '../src/db/search/rollups.ts';
import { runItems } from '../src/db/runs/run-outputs.ts';
import { takeDueRuns } from '../src/db/runs/runs.ts';
import { listItemIds } from '../src/db/search/offset-list.ts';
import { countItems, readFound, searchItems } from '../src/db/search/search.ts';
import { readStats, readTagCounts } from '../src/db/search/stats.ts';
import { SPREAD } from './seed-rows.ts';

export interface Case {
  group: string;
  name: string;
  /** `rolled back`: changes rows, so it runs in a transaction that is rolled back. */
  kind: 'reads' | 'rolled back';
  work: (db: Db) => Promise<unknown>;
}

/** An item in the middle of a database, and positions in its order. */
export interface Landmarks {
  run: { id: string; userId: string };
  job: string;
  scene: { projectId: string; sceneId: string };
  seed: string;
  /** Positions after that many thousandths of all items, newest first. */
  deep: Record<10 | 500 | 990, Position>;
  deepOfUser: Position;
  lastEvent: number;
}

const { biggestUser, middlingUser, tags, metadata, words, beginnings, unspaced } = SPREAD;
const STORES = ['local', 's3', 'archive'];

/** Every query on the tables that grow. */
export function casesOf(marks: Landmarks): Case[] {
  const page = (group: string, name: string, filter: ItemFilter, after?: Position): Case => ({
    group,
    name,
    kind: 'reads',
    work: async (db) => readFound(db, (await searchItems(db, { filter, order: 'desc', limit: 50, after })).found),
  });
  const reads = (group: string, name: string, work: Case['work']): Case => ({ group, name, kind: 'reads', work });
  const undone = (group: string, name: string, work: Case['work']): Case => ({
    group,
    name,
    kind: 'rolled back',
    work,
  });
  const { run, job, scene, seed, deep } = marks;
  const spread = (
    group: string,
    filter: (term: 'common' | 'middling' | 'rare') => ItemFilter,
    scope: ItemFilter = {},
  ) =>
    (['common', 'middling', 'rare'] as const).map((term) =>
      page(group, `${term}${scope.userId ? `, of the biggest user` : ''}`, { ...filter(term), ...scope }),
    );
  const biggest = { userId: biggestUser };
  return [
    page('lists', 'newest of all', {}),
    page('lists', 'newest of the biggest user', biggest),
    page('lists', 'newest of a middling user', { userId: middlingUser }),
    page('lists', 'newest of nobody', { userId: 'nobody' }),
    page('lists', 'oldest first, of a tool', { toolName: 'tool-30' }),
    page('lists', 'failures', { failed: true }),
    page('lists', 'failures of the biggest user', { failed: true, ...biggest }),
    page('lists', 'behind 1 % of all', {}, deep[10]),
    page('lists', 'behind 50 % of all', {}, deep[500]),
    page('lists', 'behind 99 % of all', {}, deep[990]),
    page('lists', 'of the biggest user, behind 50 %', biggest, marks.deepOfUser),
    reads('lists', 'older list by offset 100', (db) => listItemIds(db, { limit: 50, offset: 100 })),
    page('filters', 'tool', { toolName: 'tool-3' }),
    page('filters', 'model', { model: 'model-20' }),
    page('filters', 'tool and model, both rare', { toolName: 'tool-30', model: 'model-60' }),
    page('filters', 'provider', { provider: 'runpod' }),
    page('filters', 'provider that nobody has', { provider: 'none' }),
    page('filters', 'status pending', { status: 'pending' }),
    page('filters', 'store with one item in 1,000', { storageProvider: 'archive' }),
    page('filters', 'media type, one item in 300', { mediaType: 'audio' }),
    page('filters', 'MIME type, one item in 2,000', { mimeType: 'model/gltf-binary' }),
    page('filters', 'seed', { seed }),
    page('filters', 'sampler', { sampler: 'sampler-20' }),
    page('filters', 'request, message, external id', { requestId: 'none', messageId: 'none', externalId: 'none' }),
    ...spread('tag', (term) => ({ tags: [tags[term]] })),
    ...spread('tag', (term) => ({ tags: [tags[term]] }), biggest),
    page('tag', 'one item in 40,000', { tags: [tags.single] }),
    page('tag', 'that nobody has', { tags: ['none'] }),
    page('tag', 'all of common and middling', { tags: [tags.common, tags.middling] }),
    page('tag', 'any of middling and rare', { tags: [tags.middling, tags.rare], tagMode: 'any' }),
    page('tag', 'common, behind 50 % of all', { tags: [tags.common] }, deep[500]),
    page('tag', 'rare, behind 50 % of all', { tags: [tags.rare] }, deep[500]),
    ...spread('metadata', (term) => ({ metadata: metadata[term] })),
    ...spread('metadata', (term) => ({ metadata: metadata[term] }), biggest),
    page('metadata', 'middling, behind 50 % of all', { metadata: metadata.middling }, deep[500]),
    ...spread('text', (term) => ({ words: tsqueryOf(words[term]) })),
    ...spread('text', (term) => ({ words: tsqueryOf(words[term]) }), biggest),
    page('text', 'one item in 40,000', { words: tsqueryOf(words.single) }),
    page('text', 'common and middling', { words: tsqueryOf(`${words.common} ${words.middling}`) }),
    page('text', 'a phrase of both', { words: tsqueryOf(`"${words.common} ${words.middling}"`) }),
    page('text', 'middling, behind 50 % of all', { words: tsqueryOf(words.middling) }, deep[500]),
    ...Object.entries(unspaced).map(([name, typed]) => page('text without spaces', name, { words: tsqueryOf(typed) })),
    page('text without spaces', 'common, of the biggest user', { words: tsqueryOf(unspaced.common), ...biggest }),
    ...Object.entries(beginnings).map(([name, typed]) =>
      page('beginning of a word', name, { words: tsqueryOf(typed) }),
    ),
    page('beginning of a word', 'common, of the biggest user', { words: tsqueryOf(beginnings.common), ...biggest }),
    page('text', 'middling, and a tag', { words: tsqueryOf(words.middling), tags: [tags.common] }),
    reads('totals', 'stats of all', (db) => readStats(db, undefined, ['database'])),
    reads('totals', 'stats of the biggest user', (db) => readStats(db, biggestUser, ['database'])),
    reads('totals', 'tags of all', (db) => readTagCounts(db, undefined, '', 100)),
    reads('totals', 'tags of all with a prefix', (db) => readTagCounts(db, undefined, 'tag-1', 100)),
    reads('totals', 'tags of the biggest user', (db) => readTagCounts(db, biggestUser, '', 100)),
    reads('totals', 'includeTotal of a middling user', (db) => countItems(db, { userId: middlingUser })),
    reads('totals', 'includeTotal of a rare tag', (db) => countItems(db, { tags: [tags.rare] })),
    reads('totals', 'a look for changes to count', (db) => catchUpRollups(db)),
    reads('jobs, runs, scenes', 'a job by its id', (db) => findJob(db, { provider: 'comfyui', jobId: job })),
    reads('jobs, runs, scenes', 'known outputs of a job', (db) =>
      findJobOutputs(db, { provider: 'comfyui', jobId: job }),
    ),
    page('jobs, runs, scenes', "a job's items", { ofJob: { provider: 'comfyui', jobId: job } }),
    reads('jobs, runs, scenes', "a run's items", (db) => runItems(db, run, { limit: 100, deleted: true })),
    page('jobs, runs, scenes', 'versions of a scene', scene),
    reads('work in the background', 'the next events', (db) =>
      readEvents(db, { after: marks.lastEvent - 50, userId: undefined, limit: 100 }),
    ),
    reads('work in the background', 'the next events of a user', (db) =>
      readEvents(db, { after: marks.lastEvent - 50, userId: biggestUser, limit: 100 }),
    ),
    undone('work in the background', 'the next fetch', (db) => takeFetch(db, { atHand: false })),
    reads('work in the background', 'how many fetches wait', (db) => countFetches(db)),
    undone('work in the background', 'the next copies', (db) => takePendingLocations(db, STORES, 4)),
    reads('work in the background', 'how many copies wait', (db) => countPending(db)),
    undone('work in the background', 'the next prompt to ask about', (db) => takePoll(db, 'comfyui')),
    undone('work in the background', 'the next files of runs', (db) => takeDueRuns(db, 10)),
    undone('work in the background', 'intents to sweep', (db) => takeExpiredIntents(db, 100)),
  ];
}
