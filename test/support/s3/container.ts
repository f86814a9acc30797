import type { ChosenS3 } from './chosen-s3.ts';
import { connect } from 'node:net';
import { homedir } from 'node:os';
import path from 'node:path';

const IMAGE = 'quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z';
const PORT = 9000;

/** MinIO through testcontainers; undefined when no container engine answers. */
export async function startContainer(told: (message: string) => void): Promise<ChosenS3 | undefined> {
  if (!(await engineAnswers())) return undefined;
  try {
    const { GenericContainer, Wait } = await import('testcontainers');
    const secret = { accessKeyId: 'mediakeep', secretAccessKey: 'mediakeep-secret' };
    const container = await new GenericContainer(IMAGE)
      .withCommand(['server', '/data'])
      .withEnvironment({ MINIO_ROOT_USER: secret.accessKeyId, MINIO_ROOT_PASSWORD: secret.secretAccessKey })
      .withExposedPorts(PORT)
      .withWaitStrategy(Wait.forHttp('/minio/health/ready', PORT))
      .withStartupTimeout(120_000)
      .start();
    const endpoint = `http://${container.getHost()}:${container.getMappedPort(PORT)}`;
    return {
      s3: { kind: 'minio', endpoint, ...secret, region: 'us-east-1', bucket: undefined },
      stop: async () => void (await container.stop()),
    };
  } catch (error) {
    told(`No MinIO for tests: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** A `docker` command does not prove an engine; its socket does. Takes a second at most. */
async function engineAnswers(): Promise<boolean> {
  const { DOCKER_HOST } = process.env;
  const addresses =
    DOCKER_HOST === undefined
      ? ['/var/run/docker.sock', path.join(homedir(), '.docker/run/docker.sock')].map((file) => ({ path: file }))
      : [addressOf(DOCKER_HOST)];
  const answers = await Promise.all(addresses.filter((address) => address !== undefined).map(connects));
  return answers.some(Boolean);
}

function addressOf(host: string): { path: string } | { host: string; port: number } | undefined {
  if (!URL.canParse(host)) return undefined;
  const url = new URL(host);
  if (url.protocol === 'unix:') return { path: url.pathname };
  return { host: url.hostname, port: Number(url.port || 2375) };
}

function connects(address: { path: string } | { host: string; port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address);
    const end = (answer: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end(false), 1000);
    socket.on('connect', () => end(true));
    socket.on('error', () => end(false));
  });
}
