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
# TORCH_INDEX: where to take torch from instead, such as the index of its builds without GPU libraries.
TORCH_INDEX :=
PIP = $(BIN)/python -m pip install --disable-pip-version-check
OF_TORCH := torch|torchvision|triton|nvidia-[a-z0-9-]*|cuda-[a-z-]*

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info < (3, 14); sys.exit(None if ok else f"longtail needs Python 3.11, 3.12 or 3.13, but $(PYTHON) is {sys.version.split()[0]}. Try: make PYTHON=python3.12")'
	@echo "1/3 Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)
ifneq ($(TORCH_INDEX),)
	@awk '/^[a-z]/ {kept = !/^($(OF_TORCH))==/} kept' requirements.lock > $(VENV)/requirements.txt
	@echo "2/3 Installing $$(grep -c '^[a-z]' $(VENV)/requirements.txt) packages, then torch from $(TORCH_INDEX)"
	$(PIP) --require-hashes --no-deps -r $(VENV)/requirements.txt
	$(PIP) --no-deps --index-url $(TORCH_INDEX) $$(grep -oE '^torch(vision)?==[^ ]+' requirements.lock)
else
	@echo "2/3 Installing $$(grep -c '^[a-z]' requirements.lock) packages, 6.6 GB on Linux (README: 4 GB less without GPU libraries)"
	$(PIP) --require-hashes -r requirements.lock
endif
	@echo "3/3 Installing longtail"
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@
	@echo "Installed. Next: make run; or . $(BIN)/activate, and kedro plan"
