# Everything here is a plain command too: see README.md.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: quickstart test install install-test check-code links constraints gpu clean

quickstart: install
	$(BIN)/hashbench run matrices/quickstart.yaml
	$(BIN)/hashbench report --format markdown

test: install-test
	$(BIN)/python -m pytest

install: $(VENV)/.installed
install-test: $(VENV)/.installed-test

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml setup.py constraints.txt
	$(PIP) --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-test: $(BIN)/python pyproject.toml setup.py constraints.txt
	$(PIP) --constraint constraints.txt --editable '.[test]'
	@touch $@ $(VENV)/.installed

check-code: install-test links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Type checkers and editors do not see the folder map; this tree of links shows it to them.
links:
	rm -rf .links && mkdir -p .links/hashbench
	for path in benchmark/*; do \
	  case $$path in *__pycache__) ;; *) ln -s ../../$$path .links/hashbench/ ;; esac; done
	for folder in methods datasets reports; do ln -s ../../$$folder .links/hashbench/; done

# Newest versions that fit pyproject.toml, pinned; run it, run the tests, commit the file.
constraints:
	rm -rf .venv-constraints && $(PYTHON) -m venv .venv-constraints
	.venv-constraints/bin/python -m pip install --quiet --disable-pip-version-check '.[test]'
	.venv-constraints/bin/python -m pip freeze --exclude hashbench > constraints.txt
	rm -rf .venv-constraints

gpu:
	$(or $(GPU_PYTHON),python3) tests/gpu/backlog.py

clean:
	rm -rf $(VENV) .links build dist *.egg-info
