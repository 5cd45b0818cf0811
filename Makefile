# Two commands do all: `make demo` and `make test`. Each makes .venv and installs on first use.
PYTHON ?= python3
VENV ?= .venv
VENV_OPTIONS ?=
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
INSTALL := $(PIP) -c $(VENV)/constraints.txt

.PHONY: demo test test-slow check lint docs pages bench gpu clean

demo: $(VENV)/core
	$(BIN)/learnorder reproduce --out runs/demo
	@echo "Open runs/demo/report.html in a browser; runs/demo/patch/report.html has the effect in pictures."

test: $(VENV)/test
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-slow: $(VENV)/test
	$(BIN)/python -m pytest -m slow

check: lint
	$(BIN)/python -m pytest -q tests/test_typing.py

lint: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html in a browser."

# What README and docs show of the records in results/; needs Chromium.
pages: $(VENV)/test
	$(BIN)/python -m studies.pages

bench: $(VENV)/core
	$(BIN)/python benchmarks/pipeline.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/task.py
	$(BIN)/python benchmarks/theory.py
	$(BIN)/python benchmarks/sweep.py
	$(BIN)/python benchmarks/busy.py

# On a machine with a GPU: the tests and timings that need one, a few minutes, then the paper at its own
# scale for MINUTES; the same command continues it. PIP_NO_INDEX=1 PIP_FIND_LINKS=DIR installs from wheels.
MINUTES ?= 60
DATA ?= hub:uoft-cs/cifar10
PRECISION ?= auto
PAPER := $(BIN)/learnorder reproduce --scale paper --data $(DATA) --training.precision $(PRECISION) --out runs/paper

gpu: $(VENV)/gpu
	@$(BIN)/python -c "import sys, torch; torch.cuda.is_available() or sys.exit('torch finds no GPU.')"
	$(BIN)/python -m pytest -rs tests/test_cuda.py
	$(BIN)/python benchmarks/gpu.py
	$(PAPER) --stop_after $(MINUTES) || [ $$? -eq 130 ]
	$(PAPER) --judge-only
	@echo "Open runs/paper/report.html in a browser."

# torch comes first. What is there already (such as a CPU build, or another version) stays, so a later
# pin of torch reaches new environments only.
HAS_TORCH := $(BIN)/python -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)'

$(VENV)/core: pyproject.toml constraints.txt Makefile
	$(PYTHON) -m venv $(VENV_OPTIONS) $(VENV)
	$(HAS_TORCH) || $(PIP) -c constraints.txt torch
	grep -v '^torch==' constraints.txt > $(VENV)/constraints.txt
	$(INSTALL) --editable .
	touch $@

$(VENV)/gpu: $(VENV)/core
	$(INSTALL) pytest hypothesis
	touch $@

$(VENV)/test $(VENV)/dev $(VENV)/docs: $(VENV)/%: $(VENV)/core
	$(INSTALL) --editable '.[$*]'
	touch $@

# The three together, as CI wants them: one installation is faster.
$(VENV)/all: $(VENV)/core
	$(INSTALL) --editable '.[test,dev,docs]'
	touch $(VENV)/test $(VENV)/dev $(VENV)/docs $@

clean:
	rm -rf $(VENV) docs/_build .pytest_cache .ruff_cache
