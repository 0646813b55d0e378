# Each target works alone in a fresh clone: what it needs is installed into .venv first, once.
# The Python that makes .venv can be named: make test PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt
PYTEST_WORKERS ?= 2

# pyright comes with its own JavaScript and node; this keeps it from asking for newer ones
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test docs clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/installed ## fit a VAE to the digits and print its report
	$(BIN)/vaekit fit digits -o demo-run --overwrite --seed 0
	@cat demo-run/report.md

test: .venv/installed-dev ## lint, format, types, the order of imports, all tests and doctests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/python -m pytest -q tests/test_imports.py
	$(BIN)/python -m pytest -q -n $(PYTEST_WORKERS) --dist worksteal --deselect tests/test_imports.py

docs: .venv/installed-dev ## build the pages in docs/ to docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -q -d docs/_build/doctrees docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean: ## remove what the other targets made
	rm -rf .venv demo-run docs/_build build dist .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "vaekit needs Python 3.11 or newer; name one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv

# The stamps are newer than what they were installed from, so that a second call is quick.
.venv/installed: pyproject.toml constraints.txt | .venv/bin/pip
	@echo "Installing vaekit and what it needs into .venv; PyTorch is large, this takes a minute or more."
	$(PIP) -e .
	@touch $@

.venv/installed-dev: pyproject.toml constraints.txt | .venv/bin/pip
	@echo "Installing vaekit, what it needs and the tools into .venv; PyTorch is large, this takes a minute or more."
	$(PIP) -e '.[dev]'
	@touch .venv/installed $@
