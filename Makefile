# `make run`, `make test`, `make thesis` and `make bench`. Each installs first, the first time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export DO_NOT_TRACK := 1

# Of `make thesis`: make thesis ENV=test PARAMS=data=/other/folder
ENV := thesis
PARAMS :=
OPTIONS = --env=$(ENV) $(if $(PARAMS),'--params=$(PARAMS)')

.PHONY: run test thesis bench lint install

run: install
	$(BIN)/kedro run --pipeline=full

test: install
	$(BIN)/pytest

# The locked report, byte for byte; without a lock all is run and locked first.
thesis: install
	test -f conf/$(ENV)/lock.yml || { $(BIN)/kedro run --pipeline=full $(OPTIONS) && $(BIN)/kedro lock $(OPTIONS); }
	$(BIN)/kedro regenerate $(OPTIONS)

# How fast this machine trains: make bench BENCH="--images=2560 --rounds=2"
bench: install
	$(BIN)/python -m benchmarks $(BENCH)

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

install: $(VENV)/installed

# Exact versions with their hashes; the marker file is made last, so a broken install is repeated.
$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info < (3, 14); sys.exit(None if ok else f"longtail needs Python 3.11, 3.12 or 3.13, but $(PYTHON) is {sys.version.split()[0]}. Try: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@
