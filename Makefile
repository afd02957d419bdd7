# `make run`, `make test`, `make thesis`, `make bench`, `make lint`, `make figures` and `make docs`. The first one installs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export DO_NOT_TRACK := 1

# For example: make thesis ENV=test PARAMS=data=/other/folder
ENV := thesis
PARAMS :=
OPTIONS = --env=$(ENV) $(if $(PARAMS),'--params=$(PARAMS)')

.PHONY: run test thesis bench lint figures docs install

run: install
	$(BIN)/kedro run --pipelines=full

test: install
	$(BIN)/pytest

# Reproduce the locked report byte for byte. If there is no lock, run and lock first.
thesis: install
	test -f conf/$(ENV)/lock.yml || { $(BIN)/kedro run --pipelines=full $(OPTIONS) && $(BIN)/kedro lock $(OPTIONS); }
	$(BIN)/kedro regenerate $(OPTIONS)

# Measure how fast this machine trains: make bench BENCH="--images=2560 --rounds=2"
bench: install
	$(BIN)/python -m benchmarks $(BENCH)

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Fails if the digits' figures in the documentation differ by more than processors do. To rewrite them:
# .venv/bin/python -m benchmarks.digits --write
figures: install
	$(BIN)/python -m benchmarks.digits --check

# The documentation as a site in site/; `.venv/bin/mkdocs serve` shows it, with search.
docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

install: $(VENV)/installed

# Exact versions with their hashes. The marker file is made last, so that a failed install is repeated.
$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info < (3, 14); sys.exit(None if ok else f"longtail needs Python 3.11, 3.12 or 3.13, but $(PYTHON) is {sys.version.split()[0]}. Try: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@
