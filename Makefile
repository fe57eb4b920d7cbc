.DEFAULT_GOAL := help
SHELL := /bin/sh

# A system uv is used when it answers; otherwise the pinned one goes into .uv/ by pip, always inside a venv of its own.
UV_VERSION := 0.13.8
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo .uv/bin/uv)
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && command -v $$p && break; done)
BIN := .venv/bin
READY := .venv/.ready
LAUNCH := $(BIN)/python -m deploy.local
FAST_TESTS := tests/unit tests/contract tests/architecture
SLOW_TESTS := tests/integration tests/e2e

.PHONY: help setup up start stop restart clean status demo prepare test check fmt docs bench bench-payouts bench-webhooks fuzz chaos chaos-lies soak migration lock-check

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Install everything into .venv (needs Python 3.11 or later, nothing else)

$(READY): uv.lock pyproject.toml $(wildcard libs/*/pyproject.toml services/*/pyproject.toml) | $(filter .uv/bin/uv,$(UV))
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed, and none was found on PATH" >&2; exit 1; }
	@test -x $(BIN)/python || $(UV) venv --quiet --allow-existing --python "$(PYTHON)" .venv
	UV_PYTHON_DOWNLOADS=never $(UV) sync --frozen --all-packages --python $(BIN)/python
	@touch $@

.uv/bin/uv:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed, and none was found on PATH" >&2; exit 1; }
	"$(PYTHON)" -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"

up: setup ## Start everything, print the API address and keys, stop on Ctrl-C
	@$(LAUNCH) up

start: setup ## Start everything in the background; addresses and keys go to .local/run.env
	@$(LAUNCH) start

stop: setup ## Stop what `make start` started; the data stays
	@$(LAUNCH) stop

restart: setup ## Replace what runs one by one, without a gap: make restart, or make restart s=gateway
	@$(LAUNCH) restart $(s)

clean: setup ## Stop, then drop the database, the queues and the state directory
	@$(LAUNCH) clean

status: setup ## Say which processes run and whether they are ready
	@$(LAUNCH) status

prepare: setup ## Make the platform's accounts on the Stellar network that STELLAR_HORIZON_URL names
	@$(LAUNCH) prepare

demo: setup ## Play a whole marketplace story on a stack of its own, then clean up
	@$(LAUNCH) demo

check: setup ## Format, lint, types, import contracts, fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q $(FAST_TESTS)

test: check ## check, then the integration and end-to-end tests on real servers
	$(BIN)/pytest -q -n 3 --max-worker-restart=0 --durations=15 $(SLOW_TESTS)

fmt: setup ## Format and apply safe fixes
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

docs: setup ## Write anew what is made from the code: docs/errors, docs/openapi.json
	$(BIN)/python -m tests.contract.test_generated

bench: setup ## Measure throughput and latency, write docs/benchmarks.md
	$(BIN)/python -m tests.bench

bench-webhooks: setup ## Measure deliveries: how many, how soon, beside whom; writes docs/benchmarks-webhooks.md
	$(BIN)/python -m tests.bench_webhooks

bench-payouts: setup ## Measure withdrawals from the API to the chain, write docs/benchmarks-payouts.md
	$(BIN)/python -m tests.bench.payouts

fuzz: setup ## Fuzz the API by its OpenAPI document, 20 minutes or make fuzz minutes=5; writes docs/fuzzing.md
	$(BIN)/python -m tests.fuzz --minutes $(or $(minutes),20)

chaos: setup ## Kill processes under load, then check the books; writes docs/reliability.md and docs/reliability-payouts.md
	$(BIN)/python -m tests.chaos

chaos-lies: setup ## Have a Horizon lie in pairs while money moves; writes docs/reliability-lies.md
	$(BIN)/python -m tests.chaos.lying

soak: setup ## Rotate webhook secrets under thousands of deliveries, verify each four ways; writes docs/soak.md
	$(BIN)/python -m tests.soak

migration: setup ## New migration from the tables: make migration s=ledger n=add_holds
	@test -n "$(s)" && test -n "$(n)" || { echo "usage: make migration s=<service> n=<slug>" >&2; exit 2; }
	$(BIN)/python -m deploy.local.revision $(s) $(n)

lock-check: setup
	@$(UV) lock --check
