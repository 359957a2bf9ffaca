# Two commands: `make run` measures and reports, `make test` checks. Each sets up what it needs, in .venv only.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help run test lint clean bootstrap

help:
	@echo "make run    measure MobileNetV3-Large on every framework this machine can run (quick preset), print the table"
	@echo "make test   run the tests"
	@echo "make lint   ruff, mypy, import-linter"
	@echo "make clean  remove .venv and caches of the tools (not the frameworks' environments: inferometer env remove --all)"

# A venv of our own, so that systems whose Python is externally managed are left alone.
$(BIN)/uv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "inferometer needs Python 3.11 or newer; give one with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --disable-pip-version-check uv || $(MAKE) --no-print-directory bootstrap

# where the distribution has pip but left out venv
bootstrap:
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --target $(VENV)-bootstrap uv
	$(VENV)-bootstrap/bin/uv venv --quiet --clear --python $(PYTHON) $(VENV)
	$(VENV)-bootstrap/bin/uv pip install --quiet --python $(BIN)/python uv
	rm -rf $(VENV)-bootstrap

$(VENV)/.run: pyproject.toml $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[all]'
	@touch $@

$(VENV)/.dev: pyproject.toml $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[dev]'
	@touch $@ $(VENV)/.run

run: $(VENV)/.run
	$(BIN)/inferometer run --preset quick --report

test: $(VENV)/.dev
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
