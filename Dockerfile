# One image for scanner, worker, dashboard and command line; the command says which.
# Works with and without BuildKit, on Docker 20.10 and later.
#   docker build -t cdr-ingester:local .

# The same Node as the devDependency `node` in package.json, which stays out of the image.
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS manifests
ARG PNPM_VERSION=12.21.0
RUN npm install --global --no-audit --no-fund pnpm@${PNPM_VERSION}
WORKDIR /app
# Manifests alone first: dependencies are installed anew only when one of these changes.
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY apps/cli/package.json apps/cli/
COPY apps/dashboard/package.json apps/dashboard/
COPY apps/scanner/package.json apps/scanner/
COPY apps/worker/package.json apps/worker/
COPY packages/core/package.json packages/core/
COPY packages/kafka/package.json packages/kafka/
COPY packages/ledger/package.json packages/ledger/
COPY packages/queue/package.json packages/queue/
COPY packages/sftp/package.json packages/sftp/
COPY packages/telemetry/package.json packages/telemetry/

# JavaScript from TypeScript.
FROM manifests AS build
RUN pnpm install --frozen-lockfile --ignore-scripts
COPY tsconfig.json tsconfig.base.json ./
COPY packages packages
COPY apps apps
RUN node node_modules/typescript/bin/tsc -b
# What runs: the compiled files, and what the dashboard serves as it is.
RUN for part in packages/* apps/*; do \
      mkdir -p "/out/$part" && cp -r "$part/dist" "/out/$part/" || exit 1; \
      if [ -d "$part/assets" ]; then cp -r "$part/assets" "/out/$part/" || exit 1; fi; \
    done; \
    find /out -name '*.d.ts' -delete

# Dependencies without those of development. Install scripts are not run: all native code comes prebuilt.
FROM manifests AS dependencies
RUN pnpm install --frozen-lockfile --prod --ignore-scripts

FROM ${NODE_IMAGE}
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app ./
COPY --from=build /out ./
USER node
# health and metrics; dashboard
EXPOSE 9464 3000
# Another app: apps/scanner/dist/main.js, apps/dashboard/dist/main.js, apps/cli/dist/main.js.
# Run it under an init (`docker run --init`): a process with the id 1 cannot end itself by SIGKILL when its time to stop is up.
CMD ["node", "--disable-warning=TimeoutNegativeWarning", "--max-semi-space-size=4", "--heap-growing-percent=50", "apps/worker/dist/main.js"]
