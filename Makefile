# Every target calls cargo, which does all set-up. Needed: Rust, Go, Python 3 and make.

.DEFAULT_GOAL := help
# The traces of a build that has them. The same packages as the other tests, so that they agree on what is compiled.
OTEL := --workspace --features external-secrets-rs/otel --test traces

.PHONY: help demo test bench panels lint crds install-yaml chart-docs

help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## From Vault to a Secret, step by step, on a real control plane; KEEP=1 leaves it running
	cargo build --bins
	@cargo run --quiet --bin demo

test: ## Run every test on a real control plane and a real OpenBao
	cargo test --workspace --no-run
	cargo test $(OTEL) --no-run
	cargo run --quiet --bin testbed -- exec -- sh -c 'cargo test --workspace && exec cargo test $(OTEL)'

bench: ## What it costs at scale, beside a floor; writes docs/performance.md; SHORT=1 for a few minutes
	cargo build --release --bin external-secrets --bin scale
	@target/release/scale $(if $(SHORT),--short)

panels: ## Draw the dashboard's panels from a story of five minutes on real servers; writes docs/observability/
	cargo build --bin external-secrets --bin panels
	@target/debug/panels

lint: ## Check formatting, and clippy with warnings as errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings
	cargo clippy $(OTEL) --lib --bins -- --deny warnings

crds: ## Write crds/ from the types in src/api
	WRITE_CRDS=1 cargo test --quiet --test crds

install-yaml: crds ## Write deploy/install.yaml from crds/ and deploy/manifests
	WRITE_INSTALL=1 cargo test --quiet --test install_yaml the_file

chart-docs: ## Write the chart's README.md from values.yaml, and its copies of deploy/observability
	WRITE_CHART_DOCS=1 cargo test --quiet --test helm the_chart_has
