/** One block of a `text/event-stream`. */
export interface SentEvent {
  id: string | undefined;
  event: string | undefined;
  data: Record<string, unknown> | undefined;
  comment: boolean;
}

export interface EventReader {
  status: number;
  headers: Headers;
  /** Everything that has arrived so far. */
  blocks: SentEvent[];
  /** The last event id, as a browser keeps it. */
  lastId(): string | undefined;
  /** The events with data. */
  events(): SentEvent[];
  /** Waits until this many events with data have arrived. */
  until(count: number): Promise<SentEvent[]>;
  /** Resolves when the other side ends the stream; rejects when it fails. */
  ended: Promise<void>;
  close(): void;
}

/** Follows a listening server's events as a browser does. */
export async function followEvents(
  address: string,
  headers: Record<string, string>,
  { after, query = '' }: { after?: string | undefined; query?: string } = {},
): Promise<EventReader> {
  const abort = new AbortController();
  const response = await fetch(`${address}/v1/events${query}`, {
    headers: { ...headers, ...(after !== undefined && { 'last-event-id': after }) },
    signal: abort.signal,
  });
  const blocks: SentEvent[] = [];
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const resolve of waiting) resolve();
    waiting.clear();
  };
  const read = async () => {
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      const parts = text.split('\n\n');
      text = parts.pop() ?? '';
      blocks.push(...parts.map(parse));
      wake();
    }
  };
  let over = false;
  const ended = read().finally(() => {
    over = true;
    wake();
  });
  ended.catch(() => {});
  const events = () => blocks.filter((block) => block.data !== undefined);
  return {
    status: response.status,
    headers: response.headers,
    blocks,
    events,
    lastId: () => blocks.findLast((block) => block.id !== undefined)?.id,
    async until(count) {
      while (events().length < count) {
        if (over) throw new Error(`the stream (status ${response.status}) ended after ${events().length} events`);
        await new Promise<void>((resolve) => waiting.add(resolve));
      }
      return events();
    },
    ended,
    close: () => abort.abort(),
  };
}

function parse(block: string): SentEvent {
  const field = (name: string) =>
    block
      .split('\n')
      .find((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2);
  const data = field('data');
  return {
    id: field('id'),
    event: field('event'),
    data: data === undefined ? undefined : (JSON.parse(data) as Record<string, unknown>),
    comment: block.startsWith(':'),
  };
}
