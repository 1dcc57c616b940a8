# Every target is a few plain commands; README.md gives the ones worth typing by hand.
#   make quickstart   install, run the quickstart matrix, print its report
#   make test         install with the test extra, run the whole test suite
#   make check-code   linter, formatter, types
#   make gpu          CUDA tests and matrices/gpu.yaml; says so where there is no CUDA device
#   make constraints  pin the newest versions that fit pyproject.toml
# VENV=folder uses another virtual environment, PYTHON=python3.12 another interpreter to make it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALL := $(PIP) install --constraint constraints.txt
GPU_PYTHON ?= $(firstword $(wildcard $(BIN)/python) $(PYTHON))
SETUP := pyproject.toml setup.py constraints.txt

.DELETE_ON_ERROR:
.PHONY: quickstart test install install-test check-code lint types links constraints gpu clean

quickstart: install
	$(BIN)/hashbench run matrices/quickstart.yaml
	$(BIN)/hashbench report --format markdown

test: install-test
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

install: $(VENV)/.installed
install-test: $(VENV)/.installed-test

# The target is pip and not python: where Debian's python3-venv is missing, a folder with an
# interpreter and no pip is left behind, and the next call then tries again.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "hashbench needs Python 3.11 or newer and '$(PYTHON)' is not;" \
	    "name one that is: make $(firstword $(MAKECMDGOALS)) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(SETUP) | $(BIN)/pip
	$(INSTALL) --editable .
	@touch $@

$(VENV)/.installed-test: $(SETUP) | $(BIN)/pip
	$(INSTALL) --editable '.[test]'
	@touch $(VENV)/.installed $@

check-code: lint types

lint: install-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install-test links
	$(BIN)/mypy

# Type checkers and editors do not see setup.py's folder map; this tree of links shows it to them.
links:
	@rm -rf .links && mkdir -p .links/hashbench
	@cd .links/hashbench && ln -s ../../benchmark/* . && \
	  rm -f __pycache__ && ln -s ../../methods ../../datasets ../../reports .

# Run with the oldest supported Python, whose newest versions serve the later ones too; then run
# the tests and commit the file.
constraints:
	@set -e; made=$$(mktemp -d); trap 'rm -rf "$$made"' EXIT; \
	$(PYTHON) -m venv "$$made/venv"; \
	"$$made/venv/bin/python" -m pip --disable-pip-version-check --quiet install --editable '.[test]'; \
	{ echo "# Made by 'make constraints' with $$($(PYTHON) --version) on $$(uname -sm)."; \
	  "$$made/venv/bin/python" -m pip freeze --all --exclude pip --exclude hashbench \
	    | grep -v '^#' | sed 's/+.*//'; } > "$$made/constraints.txt"; \
	cp "$$made/constraints.txt" constraints.txt

gpu:
	$(GPU_PYTHON) tests/gpu/backlog.py

clean:
	rm -rf $(VENV) .links build dist *.egg-info
