# What a newcomer needs: `make run`, `make test`. `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# With a database of your own nothing is added to it but a workspace and a key.
DEMO := $(if $(DATABASE_URL)$(FINDERFEE_DATABASE_URL),,--demo)
# The sites' script is tested in a real browser, where there is one.
BROWSER := $(and $(shell command -v chromium),$(shell command -v chromedriver))

.PHONY: help run test fuzz check bench faults lock openapi clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

run: .venv/.stamp ## serve on PORT (8000) with an embedded Postgres and demo data
	@exec $(BIN)/python -m app serve $(DEMO)

test: .venv/.stamp ## all tests, on an embedded Postgres or on TEST_DATABASE_URL
	$(PYTEST) -n 2 $(if $(BROWSER),,--ignore=tests/browser)
	@$(if $(BROWSER),:,echo "LEFT OUT: tests/browser, which need chromium and chromedriver (Debian: apt-get install chromium chromium-driver)")

fuzz: .venv/.stamp ## the API file for FUZZ_SECONDS (600), with another FUZZ_SEED each time
	FUZZ_SECONDS=$(or $(FUZZ_SECONDS),600) FUZZ_SEED=$(or $(FUZZ_SEED),$(shell date +%s)) \
		$(PYTEST) -s tests/contract/test_fuzz.py

check: .venv/.stamp ## format, lint, types, import contracts, house rules, openapi.yaml, migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m app openapi | diff -u openapi.yaml -
	$(PYTEST) tests/test_house_rules.py tests/db/test_migrations.py

bench: .venv/.stamp ## redirects and decisions per second, beside plain rivals; needs wrk
	$(BIN)/python -m bench

faults: .venv/.stamp ## what holds when processes, Postgres, disks and clocks fail; Linux, root, gcc, strace
	$(BIN)/python -m faults $(FAULTS)

openapi: .venv/.stamp ## write openapi.yaml and the schema of own events from the code
	$(BIN)/python -m app openapi > openapi.yaml.new
	mv openapi.yaml.new openapi.yaml
	$(BIN)/python -m app.conversions.providers.standard_schema > docs/standard-webhooks.schema.json
	$(BIN)/python -m app.plan_schema > docs/plan.schema.json

lock: .venv/.stamp ## write requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --no-emit-index-url \
		--extra dev --python-version 3.11 --output-file requirements.lock pyproject.toml

clean: ## remove what make and the tools made; your data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Made once, and again when the lock changes. Some systems ship venv without pip in it.
.venv/.stamp: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	@echo "Installing into .venv (a minute, once) ..."
	@$(PYTHON) -m venv .venv > /dev/null 2>&1 || $(PYTHON) -m venv --clear --without-pip .venv
	@if $(BIN)/python -m pip --version > /dev/null 2>&1; then \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; \
	else \
		$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; \
	fi
	@touch $@
