# The only commands a newcomer needs. Each sets up what it needs first; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench chaos docs

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=
WORKERS ?= 2

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv from requirements.lock and fetch what devstack needs
	@$(BIN)/python -m devstack

demo: setup ## start Kafka and PostgreSQL here and watch requests become tickets (KEEP=1 leaves them running)
	@$(BIN)/python -m examples.demo $(ARGS)

test: setup ## run the whole suite on real Kafka and PostgreSQL
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: $(STAMP) ## lint, format, types, import contracts and released contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/ticketing contract check

bench: setup ## measure speed, processor time and counts per ticket
	@$(BIN)/python -m benchmarks $(ARGS)

chaos: setup ## strike fault after fault under load for half an hour (MINUTES=5, SOAK=8h)
	@$(BIN)/python -m tests.chaos --soak $(or $(SOAK),$(or $(MINUTES),30)m) $(ARGS)

docs: $(STAMP) ## write the generated tables of README.md and docs/ again
	@$(BIN)/python -m tests.generated_docs

# Offline when nothing changed: the lock holds the build back end too, so nothing is built in isolation.
$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11 or newer, or name one with PYTHON=/path/to/python." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: install a newer Python, or name one with PYTHON=/path/to/python." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv and pip are missing: install them (Debian and Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@
