# `make demo` and `make test` need Python 3.11 to 3.14 and nothing else.
PYTHON ?= $(shell for name in python3.13 python3.14 python3.12 python3.11 python3 python; do \
	$$name -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null && echo $$name && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
# The tests' BigQuery, an emulator, needs Python 3.13 to 3.15 and an environment of its own.
EMULATOR := .venv-bigquery
EMULATOR_PYTHON ?= $(shell for name in python3.13 python3.14 python3.15 python3 \
	$${PYENV_ROOT:-$$HOME/.pyenv}/versions/*/bin/python3.1[345]; do \
	$$name -c 'import sys, venv, ensurepip; sys.exit(not (3, 13) <= sys.version_info[:2] <= (3, 15))' 2>/dev/null && echo $$name && break; done)
# The tests' Airflow, which brings 130 packages of its own.
AIRFLOW := .venv-airflow
# What a demo needs, and what the tests need beside it, in one environment.
DEMO := $(VENV)/.demo
READY := $(VENV)/.ready
# uv, where it is there and reaches what it needs, installs in a fraction of pip's time; both compile, as each import of
# dlt would else do it anew.
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv)
export UV_SYSTEM_CERTS = true
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --compile --editable
install = $(if $(UV),$(UV) pip install --quiet --python $(BIN)/python --compile-bytecode --editable $(1) ||) $(PIP) $(1)
# Where this is set, each import of dlt would compile a thousand modules anew.
unexport PYTHONDONTWRITEBYTECODE
# The theme's news of its successor, at each build.
export NO_MKDOCS_2_WARNING = 1

.PHONY: dist demo demo-models demo-parquet demo-bigquery emulator browser airflow duckdb1 dbt schedulers container-try test test-unit coverage test-long test-all check test-lowest test-newest soak simulate simulate-small mutants model-mutants sandbox docs site site-serve bench peers profile clean

demo: $(DEMO)
	$(BIN)/python pipelines/cogny_to_duckdb.py --sandbox

# Ten answers from the demo's database, each by one query of the models.
demo-models: demo
	$(BIN)/cogny models build
	$(BIN)/cogny models test
	$(BIN)/cogny models ask

demo-parquet: $(DEMO)
	$(BIN)/python pipelines/cogny_to_parquet.py --sandbox

# The pipeline into the emulator, twice; no Google account is asked.
demo-bigquery: $(READY) $(EMULATOR)/.ready
	$(BIN)/python -m tests.support.emulator

test: check emulator browser schedulers airflow duckdb1 dbt
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not long"

# The rules, a module at a time: what to run while one writes.
test-unit: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal tests/unit

# Measured in the scripts' own processes too, which takes half as long again.
coverage: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not long" --cov --cov-report=term:skip-covered --cov-fail-under=95

# All cells of the matrix of faults and moving rows, the wheel installed with each extra, and properties with ten times
# the examples: some minutes more.
test-long: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m long
	$(BIN)/python -m pytest -n 2 --dist worksteal -m hypothesis --hypothesis-profile=long

# Where no Python can run it, the tests that need it are skipped, but in CI.
emulator:
	@if [ -n "$(EMULATOR_PYTHON)" ]; then $(MAKE) --no-print-directory $(EMULATOR)/.ready; \
	else echo "no Python 3.13 to 3.15 is here to run the tests' BigQuery (EMULATOR_PYTHON=/path/to/python)"; test -z "$$CI"; fi

airflow: $(AIRFLOW)/.ready

# dbt, and Google's analyzer of BigQuery's SQL, for the tests of the models.
dbt: .venv-dbt/.ready

.venv-dbt/.ready: tests/support/dbt/requirements.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.14 with venv is needed; set PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv .venv-dbt
	.venv-dbt/bin/python -m pip install --quiet --disable-pip-version-check --compile -r $<
	touch $@

# The connector with DuckDB 1, for the tests of files that both versions open.
duckdb1: .venv-duckdb1/.ready

$(AIRFLOW)/.ready: tests/e2e/airflow/requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.14 with venv is needed; set PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(AIRFLOW)
	$(AIRFLOW)/bin/python -m pip install --quiet --disable-pip-version-check --compile -r $< --editable .
	touch $@

# Where there is none and it cannot be installed, the report's browser tests are skipped, but in CI.
browser:
	@if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends chromium chromium-driver; \
	else echo "no chromium is here for the report's browser tests"; test -z "$$CI"; fi

# What reads the files of deploy/ on the machines that they are for; as for the browser.
schedulers:
	@if PATH="$$PATH:/usr/sbin" command -v logrotate >/dev/null && command -v systemd-analyze >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends logrotate systemd; \
	else echo "no logrotate or systemd is here for the tests of deploy/"; test -z "$$CI"; fi

# The Dockerfile's steps and the image's commands without Docker, in a fresh Debian: as root, with mmdebstrap; four minutes.
container-try: $(READY)
	$(BIN)/python -m tests.deploy.container.try_image

$(EMULATOR)/.ready: tests/support/bigquery/requirements.txt tests/support/bigquery/requirements-no-deps.txt
	@test -n "$(EMULATOR_PYTHON)" || { echo "Python 3.13 to 3.15 is needed; set EMULATOR_PYTHON=/path/to/python"; exit 1; }
	$(EMULATOR_PYTHON) -m venv $(EMULATOR)
	$(EMULATOR)/bin/python -m pip install --quiet --disable-pip-version-check --compile -r tests/support/bigquery/requirements.txt
	$(EMULATOR)/bin/python -m pip install --quiet --disable-pip-version-check --compile --no-deps \
		-r tests/support/bigquery/requirements-no-deps.txt
	mkdir -p $(EMULATOR)/home
	HOME=$(CURDIR)/$(EMULATOR)/home $(EMULATOR)/bin/python -c "import duckdb_extensions as e; \
		[e.import_extension(name) for name in ('ducklake', 'icu', 'spatial')]"
	touch $@

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/mkdocs build --strict

test-all:
	@for version in 3.11 3.12 3.13 3.14; do \
		if python$$version -c 'import venv, ensurepip' 2>/dev/null; then \
			echo "== Python $$version"; $(MAKE) test VENV=.venv-$$version PYTHON=python$$version || exit 1; \
		else echo "== Python $$version is not on this machine"; fi; done

# The suite, but for the emulator, Airflow and the browser.
PORTABLE := -n 2 --dist worksteal -m "not long" -k "not bigquery or unit" $(addprefix --ignore=tests/,deploy/test_deploy.py e2e/airflow \
	e2e/test_dashboard_browser.py destinations/test_bigquery.py unit/pipelines)

# With the lowest version of each direct dependency.
test-lowest: .venv-lowest/.ready
	.venv-lowest/bin/python -m pytest $(PORTABLE) -W "ignore:You are using a Python version:FutureWarning"

.venv-lowest/.ready: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.14 with venv is needed; set PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check uv
	.venv-lowest/bin/uv pip install --quiet --python .venv-lowest/bin/python --resolution lowest-direct --editable '.[dev]'
	touch $@

# With the newest release of each dependency, past the upper bounds of pyproject.toml: which of them can go. Where the
# tests fail so, each bound is tried alone. DuckDB 1 stands beside it, for the files that both versions open.
test-newest: .venv-newest/.ready .venv-duckdb1/.ready
	.venv-newest/bin/python -m tests.project.newest .venv-newest $(PORTABLE)

.venv-newest/.ready:
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.14 with venv is needed; set PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --disable-pip-version-check uv packaging
	touch $@

.venv-duckdb1/.ready: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.14 with venv is needed; set PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv .venv-duckdb1
	.venv-duckdb1/bin/python -m pip install --quiet --disable-pip-version-check --compile --editable . 'duckdb<2'
	touch $@

# The sdist and the wheel that is built from it, each the same to the byte each time.
dist: $(READY)
	$(BIN)/python -m tests.project.wheel dist

# Scenarios drawn by lot, about an hour; SOAK_SCENARIOS and SOAK_FIRST_SEED say how many and which.
soak: $(READY)
	SOAK_SCENARIOS=$${SOAK_SCENARIOS:-200} SOAK_FIRST_SEED=$${SOAK_FIRST_SEED:-1000} \
		$(BIN)/python -m pytest tests/soak/test_soak.py -n 2 --tb=short

# Ten thousand random worlds in one process a core, without HTTP, disks and threads; SIMULATE="--first 20000" plays others,
# and `python -m tests.simulation replay SEED` plays one again.
simulate: $(READY)
	$(BIN)/python -m tests.simulation random $(SIMULATE)

# Every small world, in 144 parts; SMALL="--first 96 --parts 1" plays some.
simulate-small: $(READY)
	$(BIN)/python -m tests.simulation small $(SMALL)

# Breaks the reading in one place at a time, and tells which breaks no test of the modules and no world shows;
# MUTANTS="--sample 100" tries some.
mutants: $(READY)
	$(BIN)/python -m tests.mutation $(MUTANTS)

# Changes one place of a model at a time, and tells which wrong models no test sees.
model-mutants: $(READY)
	$(BIN)/python -m tests.unit.models.mutants

sandbox: $(READY)
	$(BIN)/python -m cogny_source.sandbox --port 8080 --tickets 5000

# All figures of benchmarks/RESULTS.md, 11 minutes on two cores; BENCH="--only loads --scale 100" tries a part of it.
# Peers that `make peers` has not installed are left out.
bench: $(READY)
	@$(BIN)/python -c 'import matplotlib' 2>/dev/null || \
		{ $(call install,'.[bench]'); }
	$(BIN)/python benchmarks/run.py $(BENCH)

# What the benchmarks compare with and what does not fit beside dlt: each in an environment of its own. PyAirbyte needs
# Python 3.12 at most: `make peers PYTHON=python3.12`.
peers: .venv-peers-singer/.ready .venv-peers-airbyte/.ready

.venv-peers-%/.ready: benchmarks/peers/requirements-%.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.14 with venv is needed; set PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv .venv-peers-$*
	.venv-peers-$*/bin/python -m pip install --quiet --disable-pip-version-check --compile -r $<
	touch $@

# Where the time of a first load goes.
profile: $(READY)
	$(BIN)/python benchmarks/profile_load.py

docs: $(READY)
	$(BIN)/python -m cogny_source schema > docs/tables.md
	$(BIN)/python -m cogny_source schema --format dbt > cogny_source/models/dbt/models/staging/_sources.yml

# The documentation as a site in build/site, which can be read from there or from any server; a link that leads nowhere
# fails it.
site: $(READY)
	$(BIN)/mkdocs build --strict
	@echo "open $(CURDIR)/build/site/index.html"

# The same on port 8000, built anew as the pages change.
site-serve: $(READY)
	$(BIN)/mkdocs serve

$(DEMO): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.14 with venv is needed; set PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "installing what the demo needs into $(VENV): 270 MB; less than a minute with uv, up to two with pip"
	@$(call install,.)
	touch $@

$(READY): $(DEMO)
	@$(call install,'.[dev]')
	touch $@

clean:
	rm -rf .venv .venv-*
