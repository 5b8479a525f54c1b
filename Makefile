# Two commands for a fresh machine: `make replay` (the main job on recorded feeds) and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: replay test lint lock fixtures docs fuzz chaos kills soak interop pip-audit clean

replay: $(VENV)/.runtime
	$(BIN)/python -m service.replay

test: lint
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Hundreds of cycles over a changing feed with faults on both sides, random seeds; a failure prints its own.
chaos: $(VENV)/.dev
	$(BIN)/python -m tests.chaos

# The pages that are made from the code.
docs: $(VENV)/.dev
	$(BIN)/python -m tools.make_configuration_page
	$(BIN)/python -m tools.make_feeds_page

# New random answers for the parsers, for ten minutes; the suite has the same few each time.
fuzz: $(VENV)/.dev
	$(BIN)/python -m tests.fuzz

# Hundreds of kill -9 of the daemon, at every step and at random instants, on both databases.
kills: $(VENV)/.dev
	$(BIN)/python -m tests.reliability.kills --kills 300
	$(BIN)/python -m tests.reliability.kills --kills 100 --postgresql

# A daemon and 2,000 changing listings for half an hour, with faults on both sides.
soak: $(VENV)/.dev
	$(BIN)/python -m tests.soak

# Foreign RETS clients, as far as they install, against the loopback server.
interop: $(VENV)/.dev
	$(BIN)/python -m interop

fixtures: $(VENV)/.dev
	$(BIN)/python -m tools.make_fixtures

# Known vulnerabilities of what is locked. Strict: a package that could not be looked up is no clean one.
# Needs the advisory service of PyPI (or of OSV, with AUDIT=-s\ osv), which not every network reaches.
pip-audit: $(VENV)/.dev
	$(BIN)/pip-audit --strict --require-hashes --disable-pip --progress-spinner off $(AUDIT) \
	  -r requirements.txt -r requirements-dev.txt

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
