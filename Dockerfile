# docker build -t registry.example.com/increp:0.1.0 .
#
# Mount the directory of a pipeline as /pipeline, and set PIPELINE_NAME in its .env:
# docker run --rm --user "$(id -u):$(id -g)" -v /srv/pipelines/shop:/pipeline registry.example.com/increp:0.1.0

FROM node:26.10.0-trixie-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
# Skip install scripts: the image needs neither the bundled Node nor the test servers.
RUN npm ci --ignore-scripts
COPY scripts/build.ts scripts/build.ts
COPY src src
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:26.10.0-trixie-slim
# Install pg_dump from apt.postgresql.org, because it must not be older than the source.
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates openssh-client postgresql-common \
  && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
  && apt-get install -y --no-install-recommends postgresql-client-18 \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/increp
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
COPY bin bin
COPY docs docs
COPY LICENSE tables-config.schema.json .env.sample ./
RUN ln -s /opt/increp/bin/increp.js /usr/local/bin/increp \
  && groupadd --gid 10001 increp \
  && useradd --uid 10001 --gid increp --no-create-home --home-dir /pipeline increp \
  && install -d -o increp -g increp -m 0700 /pipeline /pipeline/sync-state
# The user is a number, because runAsNonRoot of Kubernetes cannot check a name.
USER 10001:10001
WORKDIR /pipeline
# Exec form: increp is process 1 and receives SIGTERM. It then rolls back and exits with 143.
ENTRYPOINT ["increp"]
CMD ["sync"]
