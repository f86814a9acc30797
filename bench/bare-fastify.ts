import fastifyCors from '@fastify/cors';
import fastifyJwt from '@fastify/jwt';
import fastifyMultipart from '@fastify/multipart';
import fastifyRateLimit from '@fastify/rate-limit';
import fastifySwagger from '@fastify/swagger';
import fastifyUnderPressure from '@fastify/under-pressure';
import Fastify from 'fastify';

// A server of the plugins that the service has, with one route: the least that a start could cost. Says when it listens.

const app = Fastify();
await app.register(fastifyCors);
await app.register(fastifyJwt, { secret: 'a-secret-of-the-measurement-0123456789' });
await app.register(fastifyMultipart);
await app.register(fastifyRateLimit, { max: 1000 });
await app.register(fastifySwagger);
await app.register(fastifyUnderPressure);
app.get('/health/ready', () => ({ ok: true }));
await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT']) });
