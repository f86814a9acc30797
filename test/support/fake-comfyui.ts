import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeFile {
  filename: string;
  subfolder?: string;
  type?: 'output' | 'temp' | 'input';
  bytes?: Buffer;
}

/** The output of each node: by node, by the name of its list (`images`, `gifs`, `audio`, `3d`, …). */
export type FakeOutputs = Record<string, Record<string, (FakeFile | boolean | string)[]>>;

export interface FakeComfy {
  url: string;
  /** Queues a prompt, as POST /prompt does; returns its id. */
  queue(graph?: object): string;
  /** Ends the prompt: its history exists from now on. */
  finish(promptId: string, outputs: FakeOutputs): void;
  fail(promptId: string, error: { node: string; kind: string; message: string }, outputs?: FakeOutputs): void;
  /** As when the history has exceeded its cap, or ComfyUI was restarted. */
  forget(promptId: string): void;
  /** `hang`: accepts requests and never responds; `500`; `html`: a proxy's page instead of every response. */
  trouble: 'hang' | '500' | 'html' | undefined;
  /** How often /view returns 503 before it returns the file. */
  busyViews: number;
  /** Content-Type of /view instead of the right one. */
  viewType: string | undefined;
  /** Requested paths, with their queries. */
  asked: string[];
  close(): Promise<void>;
}

const TYPES: Record<string, string> = {
  png: 'image/png',
  mp4: 'video/mp4',
  wav: 'audio/x-wav',
  glb: 'model/gltf-binary',
};
const GRAPH = {
  '3': {
    class_type: 'KSampler',
    inputs: { seed: 7, steps: 20, positive: ['6', 0], negative: ['7', 0], model: ['4', 0] },
  },
  '4': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'sd35_large.safetensors' } },
  '6': { class_type: 'CLIPTextEncode', inputs: { text: 'a red fox', clip: ['4', 1] } },
  '7': { class_type: 'CLIPTextEncode', inputs: { text: 'blurry', clip: ['4', 1] } },
};

/** A fake ComfyUI, with the real one's routes and responses: /prompt, /queue, /history, /view, /system_stats. */
export async function startFakeComfy(): Promise<FakeComfy> {
  const queued = new Map<string, object>();
  const history = new Map<string, object>();
  const files = new Map<string, Buffer>();
  const place = (filename: string, subfolder: string, type: string) => JSON.stringify([type, subfolder, filename]);

  const entry = (promptId: string, outputs: FakeOutputs, status: object) => {
    const told = Object.fromEntries(
      Object.entries(outputs).map(([node, lists]) => [
        node,
        Object.fromEntries(
          Object.entries(lists).map(([list, values]) => [
            list,
            values.map((value) => {
              if (typeof value !== 'object') return value;
              const { filename, subfolder = '', type = 'output', bytes } = value;
              if (bytes) files.set(place(filename, subfolder, type), bytes);
              return { filename, subfolder, type };
            }),
          ]),
        ),
      ]),
    );
    const graph = queued.get(promptId) ?? GRAPH;
    queued.delete(promptId);
    history.set(promptId, { prompt: [0, promptId, graph, {}, ['9']], outputs: told, status, meta: {} });
  };

  const fake: FakeComfy = {
    url: '',
    trouble: undefined,
    busyViews: 0,
    viewType: undefined,
    asked: [],
    queue(graph = GRAPH) {
      const id = randomUUID();
      queued.set(id, graph);
      return id;
    },
    finish: (promptId, outputs) =>
      entry(promptId, outputs, { status_str: 'success', completed: true, messages: [['execution_start', {}]] }),
    fail: (promptId, { node, kind, message }, outputs = {}) =>
      entry(promptId, outputs, {
        status_str: 'error',
        completed: false,
        messages: [
          ['execution_start', { prompt_id: promptId }],
          [
            'execution_error',
            {
              node_id: node,
              node_type: kind,
              exception_message: message,
              exception_type: 'RuntimeError',
              traceback: [],
            },
          ],
        ],
      }),
    forget: (promptId) => void (history.delete(promptId), queued.delete(promptId)),
    close: () => new Promise((resolve) => (server.closeAllConnections(), server.close(() => resolve()))),
  };

  const json = (response: ServerResponse, value: unknown, status = 200) => {
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
    response.end(JSON.stringify(value));
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://fake');
    fake.asked.push(request.url ?? '');
    if (fake.trouble === 'hang') return;
    if (fake.trouble === '500') return json(response, { error: 'internal' }, 500);
    if (fake.trouble === 'html') return void response.end('<html>please log in</html>');
    const [, route, id] = url.pathname.split('/');
    if (route === 'history') {
      if (id === undefined) return json(response, Object.fromEntries(history));
      const found = history.get(decodeURIComponent(id));
      return json(response, found ? { [decodeURIComponent(id)]: found } : {});
    }
    if (route === 'queue')
      return json(response, {
        queue_running: [],
        queue_pending: [...queued].map(([promptId, graph], index) => [index, promptId, graph, {}, []]),
      });
    if (route === 'system_stats') return json(response, { system: { comfyui_version: '0.3.60' }, devices: [] });
    if (route === 'prompt' && request.method === 'POST') {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { prompt } = JSON.parse(Buffer.concat(chunks).toString()) as { prompt: object };
      return json(response, { prompt_id: fake.queue(prompt), number: 1, node_errors: {} });
    }
    if (route === 'view') {
      const query = url.searchParams;
      const filename = query.get('filename') ?? '';
      const bytes = files.get(place(filename, query.get('subfolder') ?? '', query.get('type') ?? 'output'));
      if (!bytes) return void response.writeHead(404).end('404: Not Found');
      if (fake.busyViews > 0) {
        fake.busyViews -= 1;
        return void response.writeHead(503).end();
      }
      const type = fake.viewType ?? TYPES[filename.split('.').at(-1) ?? ''] ?? 'application/octet-stream';
      response.writeHead(200, { 'content-type': type, 'content-disposition': `filename="${filename}"` });
      return void response.end(bytes);
    }
    response.writeHead(404).end('404: Not Found');
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  fake.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return fake;
}
