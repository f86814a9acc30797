# syntax=docker/dockerfile:1
FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY tools/api-types/package.json tools/api-types/
# What is optional is an optional peer of a dependency (TypeScript, 31 MB), and nothing that runs.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --workspaces=false

FROM node:24-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 DATA_DIR=/data
WORKDIR /app
RUN mkdir /data && chown node:node /data
COPY --from=dependencies /app/node_modules node_modules
COPY package.json openapi.yaml LICENSE ./
COPY migrations migrations
COPY src src
# docker exec NAME mediakeep doctor
RUN ln -s /app/src/cli/bin.js /usr/local/bin/mediakeep
USER node
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/live`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--enable-source-maps", "--min-semi-space-size=8", "--expose-gc", "src/main.ts"]
