# Two commands for a fresh machine: `make replay` (the main job on recorded feeds) and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: replay test lint lock fixtures docs interop clean

replay: $(VENV)/.runtime
	$(BIN)/python -m service.replay

test: lint
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The pages that are made from the code.
docs: $(VENV)/.dev
	$(BIN)/python -m tools.make_configuration_page
	$(BIN)/python -m tools.make_feeds_page

# Foreign RETS clients, as far as they install, against the loopback server.
interop: $(VENV)/.dev
	$(BIN)/python -m interop

fixtures: $(VENV)/.dev
	$(BIN)/python -m tools.make_fixtures

# Exact versions with hashes, one file for every supported Python and platform.
lock:
	$(PYTHON) -m pip install --quiet uv
	$(PYTHON) -m uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header --quiet requirements-dev.in -o requirements-dev.txt
	$(PYTHON) -m uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header --quiet -c requirements-dev.txt requirements.in -o requirements.txt

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
