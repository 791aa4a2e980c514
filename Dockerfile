# Never built by an engine, for none was at hand: `npm run test:package` carries its steps out one by one instead, in a root of their own (docs/decisions/0005-container.md).
FROM node:26-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
# With the optional packages: the compiler is one of them, a binary for this platform.
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npx tsc -p tsconfig.build.json
# What runs needs none of them: the image brings its own Node.
RUN npm ci --omit=dev --omit=optional

FROM node:26-bookworm-slim
ENV NODE_ENV=production
WORKDIR /opt/opswire
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY LICENSE ./
# The root file system may be read-only: all that is written lies below state_dir.
RUN mkdir -p /var/lib/opswire && chown node:node /var/lib/opswire
USER node
VOLUME /var/lib/opswire
EXPOSE 9469
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "dist/main.js"]
CMD ["run", "-c", "/etc/opswire/opswire.yaml"]
