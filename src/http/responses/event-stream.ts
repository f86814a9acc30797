import type { Told } from '../../domain/events/event-streams.ts';

/** The events as `text/event-stream` (WHATWG HTML, 9.2). Every block carries the position from which a client can resume. */
export async function* eventStream(told: AsyncIterable<Told>): AsyncGenerator<string> {
  // How long a client waits before it reconnects.
  yield 'retry: 2000\n\n';
  for await (const part of told) yield block(part);
}

function block(part: Told): string {
  switch (part.type) {
    // A block without data dispatches no event; it keeps proxies and the client's last event id up to date.
    case 'position':
      return `: heartbeat\nid: ${part.position}\n\n`;
    case 'reset':
      return `id: ${part.position}\nevent: reset\ndata: ${JSON.stringify({ type: 'reset' })}\n\n`;
    case 'event': {
      const { position, kind, ...rest } = part.event;
      return `id: ${position}\nevent: ${kind}\ndata: ${JSON.stringify({ type: kind, ...rest })}\n\n`;
    }
    default:
      return part satisfies never;
  }
}
