# The image zephyrfs/coordinator:
#
#   docker build -t zephyrfs/coordinator:0.1.0 .
#   docker run -p 8080:8080 -p 8090:8090 -p 8091:8091 -v coordinator:/data zephyrfs/coordinator:0.1.0
#
# Both base images are pinned by digest; the tag beside it says which one that is. Move both at the same time: they are
# of the same Debian release, so that the program finds the C library that it was built with.

FROM rust:1.95.0-slim-trixie@sha256:e14e87345b4d5964ddcc3491d27ee046a0f23820f340c3c1e24da6880141f7c0 AS build
WORKDIR /source
COPY . .
# Names of functions stay in the program for backtraces; the line tables are three quarters of its size.
ENV CARGO_PROFILE_RELEASE_STRIP=debuginfo
# What is built lies in a cache, from which the program has to be taken in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target,sharing=locked \
    cargo build --release --locked --package zephyrfs-coordinator \
    && install -D --target-directory=/built target/release/coordinator

FROM debian:trixie-20260918-slim@sha256:a99cfc517144bc59b1978475ec53b46ecabec7e43635402ee5b77cc54cd1b20a
LABEL org.opencontainers.image.title="ZephyrFS Coordinator" \
    org.opencontainers.image.description="Coordination server of a distributed storage network" \
    org.opencontainers.image.licenses="MIT"
# busybox is the wget that health checks of existing compose files call; it is a tenth of GNU's with its libraries. A
# fresh volume at /data takes over the owner given here. The user is a number, which Kubernetes can tell from root.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends "busybox=1:1.37.*" \
    && rm -rf /var/lib/apt/lists/* \
    && ln -s busybox /usr/bin/wget \
    && groupadd --gid 65532 coordinator \
    && useradd --uid 65532 --gid 65532 --no-create-home --home-dir /data --shell /usr/sbin/nologin coordinator \
    && mkdir /config \
    && install --directory --owner=65532 --group=65532 /data
COPY --from=build /built/coordinator /usr/local/bin/coordinator
USER 65532:65532
ENV DATA_PATH=/data
# Without CONFIG_PATH the program reads config.yaml of its working directory if there is one, and starts with the
# defaults if there is none. Setting CONFIG_PATH here would turn a container without a file into an error.
WORKDIR /config
VOLUME /data
# gRPC, REST, health and metrics, and the other replicas.
EXPOSE 8080 8090 8091 8092
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["coordinator", "health"]
# Commands work the same way: docker exec NAME coordinator status
ENTRYPOINT ["coordinator"]
