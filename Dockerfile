# docker build -t registry.example.com/increp:0.1.0 .
#
# With a pipeline's directory (and PIPELINE_NAME in its .env, because in here it is called /pipeline):
# docker run --rm --user "$(id -u):$(id -g)" -v /srv/pipelines/shop:/pipeline registry.example.com/increp:0.1.0

FROM node:26.10.0-trixie-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
# Without the scripts of packages, of which the program needs none; the tests' own Node and Postgres stay away.
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npx tsc -p tsconfig.build.json && npm prune --omit=dev --ignore-scripts

FROM node:26.10.0-trixie-slim
# pg_dump must not be older than the source, so the current one, from where the PostgreSQL project keeps it for Debian.
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates postgresql-common \
  && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
  && apt-get install -y --no-install-recommends postgresql-client-18 \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/increp
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
COPY bin bin
COPY LICENSE tables-config.schema.json .env.sample ./
RUN ln -s /opt/increp/bin/increp.js /usr/local/bin/increp \
  && groupadd --gid 10001 increp \
  && useradd --uid 10001 --gid increp --no-create-home --home-dir /pipeline increp \
  && install -d -o increp -g increp -m 0700 /pipeline /pipeline/sync-state
# As a number, because Kubernetes cannot tell from a name whether it is root.
USER 10001:10001
WORKDIR /pipeline
# Exec form: increp is process 1, gets SIGTERM itself, rolls back and exits 143.
ENTRYPOINT ["increp"]
CMD ["sync"]
