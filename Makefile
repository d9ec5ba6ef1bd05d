# Every command there is. Each installs what it needs first: only Python 3.11+, Rust and a C linker must be there.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUNBUFFERED := 1
export DCTWIRE_CACHE := $(CURDIR)/.cache
# How many processes share the suite; each starts a PostgreSQL and an S3 store of its own where its tests need them.
WORKERS ?= 2
PYTEST = $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile
INSTALL = pip install --quiet --constraint constraints.txt
# Seconds since 1970 when make began, so that the demo can say how long everything took, set-up included.
export DCTWIRE_DEMO_STARTED := $(shell date +%s.%N)

NATIVE := $(shell find shared/jpeg/native -name '*.rs' -o -name 'Cargo.*' 2>/dev/null | grep -v /target/)
TRIPLE = $(shell rustc -vV | sed -n 's/host: //p')
FOLDERS := shared sensor_client cloud_server trainer harness tests benchmarks deploy examples

.PHONY: help setup setup-bench demo stop test test-system test-attacks test-sensor coverage check format lint types contracts rust sanitize memcheck test-arm64 bench results metrics dashboards clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/ready ## Virtual environment, native build, dependencies

setup-bench: .venv/bench ## The same, and the peers that benchmarks measure and some tests run

demo: .venv/programs ## The whole loop on this machine, measured; KEEP=1 leaves it running
	@$(BIN)/python -m deploy.demo $(if $(KEEP),--keep)

stop: ## Stop what `make demo KEEP=1` left running
	@if [ -e demo-run ]; then $(BIN)/python -m deploy.demo --stop; else echo 'Nothing to stop: no demo was run here.'; fi

test: .venv/ready ## The test suite, Rust's unit tests included; what is slow by nature is `make test-system`
	@echo '1/2  The codec: cargo test'
	@cargo test --quiet --offline --manifest-path shared/jpeg/native/Cargo.toml
	@echo '2/2  The programs: pytest, $(WORKERS) workers'
	@$(PYTEST) -m 'not system'

test-system: .venv/ready ## Whole systems, replicas, hundreds of kills, drains under load
	$(PYTEST) -m system

test-attacks: .venv/ready ## Many more hostile frames, and requests made up from the OpenAPI documents, than `make test` sends
	DCTWIRE_ATTACKS=4000 $(BIN)/pytest --timeout 3600 tests/attacks tests/cloud_server/api/http/test_openapi.py

test-sensor: .venv-sensor/ready ## The sensor's tests in an environment with nothing but what a sensor needs
	.venv-sensor/bin/pytest -m 'not system' tests/sensor_client tests/shared/wire

# The tests beside the rules that pyproject.toml lists, and no others; those of a machine cover the rules it is divided into.
RULES = $(shell sed -n '/^\[tool.coverage.run\]/,/^\[tool.coverage.report\]/s/^ *"\(.*\)",$$/\1/p' pyproject.toml)
coverage: .venv/ready ## Every branch of the pure rules is taken by the tests beside them
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest --quiet $(foreach rule,$(RULES),$(wildcard tests/$(dir $(rule))test_$(notdir $(rule))))
	@$(BIN)/coverage report

check: format lint types contracts rust test ## Everything that CI checks

format: .venv/ready ## Fails when a file is not formatted; `make format FIX=1` formats
	$(BIN)/ruff format $(if $(FIX),,--check) $(FOLDERS)
	cargo fmt --manifest-path shared/jpeg/native/Cargo.toml $(if $(FIX),,-- --check)

lint: .venv/ready ## ruff
	$(BIN)/ruff check $(if $(FIX),--fix) $(FOLDERS)

types: .venv/ready ## mypy, strict
	$(BIN)/mypy

contracts: .venv/ready ## Who may import whom
	$(BIN)/lint-imports

rust: ## clippy, pedantic
	cargo clippy --quiet --offline --all-targets --manifest-path shared/jpeg/native/Cargo.toml -- -D warnings

sanitize: .venv/ready ## The codec under AddressSanitizer: Rust's tests, Python's, damaged streams (needs a C compiler)
	tests/sanitize

memcheck: ## The codec's Rust tests under valgrind
	CARGO_TARGET_$(subst -,_,$(shell echo $(TRIPLE) | tr a-z A-Z))_RUNNER='valgrind --quiet --error-exitcode=9' \
		cargo test --offline --manifest-path shared/jpeg/native/Cargo.toml

# It needs Debian's rustc, cargo, gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, qemu-user and, after
# `dpkg --add-architecture arm64`, libstd-rust-dev:arm64. Without threads, over which qemu hangs.
ARM64_RUST ?= /usr/bin
test-arm64: ## The codec's Rust tests on an emulated 64-bit ARM, built by Debian's cross compiler
	RUSTC=$(ARM64_RUST)/rustc \
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu" \
	$(ARM64_RUST)/cargo test --quiet --offline --release --target aarch64-unknown-linux-gnu \
		--target-dir shared/jpeg/native/target/arm64 --manifest-path shared/jpeg/native/Cargo.toml \
		-- --test-threads=1 --skip share_out

bench: .venv/bench ## Run benchmarks/$(NAME).py and write its figures: make bench NAME=demo
	$(BIN)/python -m benchmarks.$(NAME)
	$(MAKE) --no-print-directory results

results: .venv/ready ## Write docs/results.md and the README's table anew from benchmarks/results/
	$(BIN)/python -m benchmarks.report

metrics: .venv/ready ## Write docs/metrics.md, the recording rules and the golden exposition anew from the code
	$(BIN)/python -m tests.vectors.metrics_vectors
	$(BIN)/python -m deploy.prometheus.reference

dashboards: .venv/ready ## Write Grafana's dashboards anew from the code
	$(BIN)/python -m deploy.grafana.dashboards

clean: ## Remove the environments, builds and caches
	rm -rf .venv .venv-sensor .cache demo-run shared/jpeg/native/target

.venv/programs: pyproject.toml constraints.txt $(NATIVE)
	@test -x $(BIN)/python || { echo 'Making a virtual environment in .venv'; $(PYTHON) -m venv .venv; }
	@echo 'Building the codec and installing what the programs need (some minutes the first time)'
	@$(BIN)/$(INSTALL) --editable '.[sensor,cloud,train]'
	@touch $@

# The programs are installed already: pip only adds what an extra names, and builds nothing again.
.venv/ready: .venv/programs
	@echo 'Installing what the tests need'
	@$(BIN)/$(INSTALL) 'dctwire[dev]'
	@touch $@

.venv/bench: .venv/ready
	@echo 'Installing the peers that benchmarks measure'
	@$(BIN)/$(INSTALL) 'dctwire[bench]'
	@touch $@

.venv-sensor/ready: pyproject.toml constraints.txt $(NATIVE)
	@test -x .venv-sensor/bin/python || { echo 'Making a virtual environment in .venv-sensor'; $(PYTHON) -m venv .venv-sensor; }
	@echo 'Building the codec and installing what a sensor needs, and pytest'
	@.venv-sensor/bin/$(INSTALL) '.[sensor]' pytest pytest-timeout hypothesis
	@touch $@
