PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo test lint bench clean

help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

demo: .venv/base ## prepare model_a_4h from the embedded exchange
	@"$(BIN)/python" prepare_kronos_data_simple.py --config model_a_4h --source sandbox --force

test: .venv/test lint ## lint, types and every test
	@"$(BIN)/python" -m pytest -n auto

lint: .venv/test
	@"$(BIN)/ruff" check .
	@"$(BIN)/ruff" format --check .
	@"$(BIN)/mypy"

# A stamp says that pip finished; an interrupted install is done again.
.venv/base: pyproject.toml constraints.txt
	@test -x "$(BIN)/python" || $(PYTHON) -m venv .venv
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/test: .venv/base
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt --upgrade "pip>=25.1"
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt --group test
	@touch $@

clean: ## remove the virtual environment and caches
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
