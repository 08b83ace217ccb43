# syntax=docker/dockerfile:1
#
#   docker build -t external-secrets-rs:0.1.0 .
#   docker buildx build --platform linux/amd64,linux/arm64 -t <registry>/external-secrets-rs:0.1.0 --push .
#
# Needs BuildKit (the default since Docker 23). Each platform is compiled on that platform, so a foreign one is emulated, and slow:
# .github/workflows/release.yml has a machine of each.

FROM rust:1.95-bookworm AS build
ARG TARGETARCH
# Features that are off by default, such as --build-arg FEATURES=otel for traces.
ARG FEATURES=""
# Writes the list of crates into the binary, which a stripped one would not have: scanners and the SBOM read it there.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    cargo install --locked cargo-auditable@0.7.7
WORKDIR /source
COPY . .
# The caches keep downloaded and compiled dependencies from build to build; the binary is taken out, since they are no part of the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=external-secrets-target-${TARGETARCH},target=/source/target,sharing=locked \
    cargo auditable build --release --locked --package external-secrets-rs --bin external-secrets --features "${FEATURES}" \
    && install -m 0755 target/release/external-secrets /external-secrets

# glibc, libgcc, the public CAs and a non-root user; no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /external-secrets /external-secrets
USER 65532:65532
# 8080: /metrics; 8082: /healthz, /readyz
EXPOSE 8080 8082
ENTRYPOINT ["/external-secrets"]
CMD ["run"]
