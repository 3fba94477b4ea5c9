PYTHON ?= python3
PANDAS2_PYTHON ?= $(PYTHON)
BIN := .venv/bin
INSTALL := -m pip install --disable-pip-version-check

.PHONY: help demo pipeline test bench lint messages clean

help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

demo: .venv/base ## prepare model_a_4h from the embedded exchange
	@echo "Preparing model_a_4h from the embedded exchange: about 10 seconds"
	@"$(BIN)/python" prepare_kronos_data_simple.py --config model_a_4h --source sandbox --force

pipeline: .venv/train ## the whole way to the verdict: every model, tiny, on the embedded exchange
	@echo "Preparing, training, forecasting and evaluating every model: some minutes"
	@"$(BIN)/python" full_pipeline.py --source sandbox --init scratch --size tiny

test: .venv/test .venv/pandas2 lint ## lint, types and every test
	@"$(BIN)/python" -m pytest -n auto

bench: .venv/test ## every benchmark; those against upstream need KRONOS_HOME, einops and tqdm
	@for script in benchmarks/bench_*.py; do echo "— $$script"; "$(BIN)/python" $$script || exit 1; done

messages: .venv/test ## collect the messages into the Chinese catalogue and compile it
	@"$(BIN)/python" tools/messages.py

lint: .venv/test
	@"$(BIN)/ruff" check .
	@"$(BIN)/ruff" format --check .
	@"$(BIN)/mypy"

# A stamp says that pip finished; an interrupted install is done again.
.venv/base: pyproject.toml constraints.txt
	@echo "Installing kronosforge into .venv: about 250 MB to download, 1 to 3 minutes on a usual line; pip shows each package"
	@test -x "$(BIN)/python" || $(PYTHON) -m venv .venv
	@"$(BIN)/python" $(INSTALL) -c constraints.txt -e .
	@touch $@

.venv/train: .venv/base
	@echo "Installing torch into .venv: 200 MB (CPU) to 3 GB (CUDA) to download; pip shows each package"
	@"$(BIN)/python" $(INSTALL) -c constraints.txt -e ".[train]"
	@touch $@

.venv/test: .venv/train
	@"$(BIN)/python" $(INSTALL) -c constraints.txt --upgrade "pip>=25.1"
	@"$(BIN)/python" $(INSTALL) -c constraints.txt -e ".[lora]" --group test
	@touch $@

# What upstream pins, to prove that its pandas reads our pickles. There are no wheels of these for Python 3.13 and later.
.venv/pandas2: | .venv/base
	@if $(PANDAS2_PYTHON) -c "import sys; sys.exit(sys.version_info >= (3, 13))"; then \
		$(PANDAS2_PYTHON) -m venv .venv-pandas2 && \
		.venv-pandas2/bin/python $(INSTALL) "pandas==2.2.2" "numpy==1.26.*"; \
	else echo "not proved here: pandas 2.2.2 reads our pickles (make test PANDAS2_PYTHON=python3.12 does)"; fi
	@touch $@

clean: ## remove the virtual environment and caches
	@rm -rf .venv .venv-pandas2 .mypy_cache .ruff_cache .pytest_cache .hypothesis
