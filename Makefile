# Every target is a few plain commands; README.md gives the ones worth typing by hand.
#   make quickstart   install, run the quickstart matrix, print its report
#   make test         install with the test extra, run the daily tests: all but those marked thorough
#   make test-all     the same with every test
#   make browser      install Chromium by apt where there is none; tests open pages in it
#   make clusters     install Slurm by apt where there is none; the tests start a cluster of their own
#   make gate         run matrices/ci.yaml and set it against results/ci
#   make check-code   linter, formatter, types
#   make docs         install with the docs extra, build the documentation into build/site
#   make torture      kill runs and workers 50 times, write results/torture.json
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
.PHONY: quickstart test test-all gate browser clusters install install-test install-docs docs check-code lint types links constraints gpu torture clean

quickstart: install
	$(BIN)/hashbench run matrices/quickstart.yaml
	$(BIN)/hashbench report --format markdown

# A worker that has nothing left takes tests from another; those of one file mostly stay together.
TEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

test: install-test browser
	$(TEST) -m "not thorough"

test-all: install-test browser
	$(TEST)

# The floors let a busy machine pass; a lost optimisation still fails.
gate: install
	@store=$$(mktemp -d); trap 'rm -rf "$$store"' EXIT; \
	$(BIN)/hashbench run matrices/ci.yaml --store "$$store" && \
	$(BIN)/hashbench gate results/ci --store "$$store" --ratio 3 --floor-seconds 10 --floor-ms 5

install: $(VENV)/.installed
install-test: $(VENV)/.installed-test
install-docs: $(VENV)/.installed-docs

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

$(VENV)/.installed-docs: $(SETUP) | $(BIN)/pip
	$(INSTALL) --editable '.[docs]'
	@touch $(VENV)/.installed $@

# With warnings as errors: dead links and anchors, pages that the navigation lacks.
docs: install-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "wrote build/site/index.html"

# Only Debian's and Ubuntu's own packages: a browser and the driver that fits it.
browser:
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || { \
	  command -v apt-get >/dev/null || { \
	    echo "the tests of the HTML report need 'chromium' and 'chromedriver': install both, or" \
	      "leave those tests out: $(BIN)/python -m pytest -m 'not browser'" >&2; exit 1; }; \
	  sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$sudo apt-get update -qq && \
	  $$sudo env DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null; }

# Only Debian's and Ubuntu's own packages. Without them the tests of Slurm are left out, and say so.
clusters:
	@command -v slurmctld >/dev/null || [ -x /usr/sbin/slurmctld ] || { \
	  command -v apt-get >/dev/null || { \
	    echo "the tests of Slurm need slurmctld, slurmd, munged and Slurm's commands: install" \
	      "Slurm and munge" >&2; exit 1; }; \
	  sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$sudo apt-get update -qq && \
	  $$sudo env DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null; }

check-code: lint types

lint: install-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install-test links
	$(BIN)/mypy
	$(BIN)/mypy tools

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

# Half an hour; a shorter one is part of the test suite.
torture: install-test
	$(BIN)/python tests/torture/torture.py --kills 50 --output results/torture.json

clean:
	rm -rf $(VENV) .links build dist *.egg-info
