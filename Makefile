# What a newcomer needs. Each target works alone in a fresh clone: it makes .venv when that is missing or out of date.

# The first of these that works; pyenv puts names on the path that do not.
PYTHON ?= $(shell for each in python3.11 python3.12 python3.13; do $$each -c '' 2>/dev/null && echo $$each && break; done)
BIN := .venv/bin
READY := .venv/.setup-done

.PHONY: help setup demo check test lint bench load chaos prove clean
.DEFAULT_GOAL := help

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with everything pinned by constraints.txt

$(READY): pyproject.toml constraints.txt
	@command -v "$(PYTHON)" >/dev/null || { echo "Segue needs Python 3.11, 3.12 or 3.13; none is there" >&2; exit 2; }
	@echo "Setting up .venv; the first time takes a minute or two"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install -qq --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	@touch $@

demo: $(READY) ## replay thirty days of a shop; DATA=FILE replays yours, KEEP=1 leaves the engine running
	@$(BIN)/segue demo $(DATA) $(if $(KEEP),--keep)

# Of two cores, half would wait with two workers: many tests wait for sockets and disks. Those of actors/, which are on real
# stores and servers, and of the load tests are left to `make test`.
check: lint ## ruff, mypy, and the quick tests of engine/, serve/ and the documents: what to run while working
	@$(BIN)/pytest -n 4 --dist loadgroup -m "not slow" tests/engine tests/serve $(filter-out tests/test_packaging.py,$(wildcard tests/test_*.py))

# The system tests start whole engines, so they have the machine to themselves. Both commands run, whatever the first says;
# any exit code but 0 fails, "no tests found" (5) too.
test: $(READY) ## run every test
	@failed=0; \
	$(BIN)/pytest -n 2 --dist loadgroup tests --ignore=tests/system || failed=1; \
	$(BIN)/pytest tests/system || failed=1; \
	exit $$failed

lint: $(READY) ## ruff, and mypy (strict) on engine/, actors/ and serve/
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(READY) ## measure, print the table, write bench.json
	@$(BIN)/segue bench --json bench.json

load: $(READY) ## play Locust users for 20 s against an engine of its own; LOCUST="--shape burst -t 60s" as you like
	@$(BIN)/python -m loadtest.locust.run --html load.html $(LOCUST)

chaos: $(READY) ## kill -9 under load, then balance the books; SECONDS=60 SEED=7 as you like
	@$(BIN)/python -m loadtest.chaos.chaos $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

prove: $(READY) ## the long sweeps, half an hour in all, and their figures in prove.json; ONLY=delivery SIZE=delivery=150
	@$(BIN)/python -m loadtest.sweeps.prove --json prove.json $(if $(ONLY),--only $(ONLY)) $(if $(SIZE),--size $(SIZE))

clean: ## remove .venv and everything that tools leave behind
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist bench.json prove.json load.html *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
