# Keyturn's server as a container: docs/design/deployment.md says how to run it.
ARG NODE=24.22.3-bookworm-slim

FROM node:${NODE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build -- server
WORKDIR /build/dist/server
RUN npm ci --omit=dev --ignore-scripts

FROM node:${NODE}
COPY --from=build /build/dist/server /opt/keyturn
# Instances are mounted; nothing else is written, so the root file system can be read-only.
ENV KEYTURN_HOME=/var/lib/keyturn NODE_ENV=production
WORKDIR /var/lib/keyturn
USER 65532:65532
EXPOSE 8443
# The flags stand here and not in NODE_OPTIONS: what runs the container can add to them, not take from them.
ENTRYPOINT ["node", "--secure-heap=65536", "--disable-sigusr1", "--report-exclude-env", "--disable-proto=delete", "--disallow-code-generation-from-strings", "--no-addons", "/opt/keyturn/bin/keyturn.mjs"]
CMD ["server"]
