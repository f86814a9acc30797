import type { WantedItems } from '../../domain/search/search.ts';
import type { JsonObject } from '../../json/json.ts';
import type { SearchQuery } from '../schemas/search.ts';

type Conditions = Partial<Omit<SearchQuery, 'sort' | 'limit' | 'cursor' | 'includeTotal' | 'metadata'>> & {
  metadata?: JsonObject | undefined;
};

/** The conditions of a search, from its parameters. */
export function filterOf({ tag, tags, notTag, notModel, notToolName, ...filter }: Conditions): WantedItems {
  return { ...filter, tags: wantedTags(tag, tags), notTags: notTag, notModels: notModel, notTools: notToolName };
}

/** The tags of both parameters; undefined when neither names one. Those of `joined` are separated by commas. */
function wantedTags(tag: readonly string[] = [], joined: readonly string[] = []): string[] | undefined {
  const split = joined.flatMap((list) => list.split(',')).filter((each) => each.trim() !== '');
  const wanted = [...tag, ...split];
  return wanted.length === 0 ? undefined : wanted;
}
