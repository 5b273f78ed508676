# `make demo` and `make test` need Python 3.11 to 3.13 and nothing else.
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3 python; do \
	$$name -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$name && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Where this is set, each import of dlt would compile a thousand modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo demo-parquet test coverage test-long test-all check soak sandbox docs clean

demo: $(READY)
	$(BIN)/python pipelines/cogny_to_duckdb.py --sandbox

demo-parquet: $(READY)
	$(BIN)/python pipelines/cogny_to_parquet.py --sandbox

test: check
	$(BIN)/python -m pytest -n 2 -m "not long"

# Measured in the scripts' own processes too, which takes half as long again.
coverage: $(READY)
	$(BIN)/python -m pytest -n 2 -m "not long" --cov --cov-report=term:skip-covered --cov-fail-under=95

# All cells of the matrix of faults and moving rows: some minutes more.
test-long: $(READY)
	$(BIN)/python -m pytest -n 2 -m long

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test-all:
	@for version in 3.11 3.12 3.13; do \
		if python$$version -c 'import venv, ensurepip' 2>/dev/null; then \
			echo "== Python $$version"; $(MAKE) test VENV=.venv-$$version PYTHON=python$$version || exit 1; \
		else echo "== Python $$version is not on this machine"; fi; done

# Scenarios drawn by lot, about an hour; SOAK_SCENARIOS and SOAK_FIRST_SEED say how many and which.
soak: $(READY)
	SOAK_SCENARIOS=$${SOAK_SCENARIOS:-200} SOAK_FIRST_SEED=$${SOAK_FIRST_SEED:-1000} \
		$(BIN)/python -m pytest tests/test_soak.py -n 2 --tb=short

sandbox: $(READY)
	$(BIN)/python -m cogny_source.sandbox --port 8080 --tickets 5000

docs: $(READY)
	$(BIN)/python -m cogny_source.tables > docs/tables.md

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 with venv is needed; set PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --compile --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv .venv-*
