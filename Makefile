# Everything a contributor runs. `make` explains itself.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run test check conformance threads-suite threads-clients screenshots bench lock clean

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3.11)
UV_VERSION := 0.13.9
BIN := .venv/bin
ARGS ?=

# A stamp says that .venv holds what a lock file asks for.
TOOLS := .venv/.stamp-tools
RUN := .venv/.stamp-run
DEV := .venv/.stamp-dev
SUITE := build/conformance/.stamp
CLIENTS := build/threads-clients/.stamp
AXE := build/axe/.stamp

help:
	@echo 'capably runs capability documents: one YAML file becomes REST servers and MCP tools.'
	@echo
	@echo '  make run      serve the bundled example, with an upstream of its own; nothing else is needed'
	@echo '  make setup    install all that the commands below need into .venv (they do it themselves, too)'
	@echo '  make test     run the tests                 make test ARGS="-k request -x"'
	@echo '  make check    format, lint, types, architecture and freshness of generated pages'
	@echo '  make conformance   the MCP conformance suite, by npm   make conformance ARGS=--help'
	@echo '  make threads-suite   the tests of the openai SDK, against the threads service'
	@echo '  make threads-clients the clients of others, installed and tried with the threads service'
	@echo '  make bench    measure                       make bench ARGS=--help'
	@echo '  make screenshots   the pictures of the console in docs/images, by Chromium'
	@echo '  make lock     pin the dependencies anew     make lock ARGS=--upgrade'
	@echo '  make clean    remove .venv and all caches'
	@echo
	@echo 'Start with `make run`. After that the program is $(BIN)/capably: try `$(BIN)/capably --help`.'
	@echo 'Python 3.11 or later is looked for on the PATH; name another with `make setup PYTHON=...`.'

setup: $(DEV)
	@:

run: $(RUN)
	@$(BIN)/capably demo $(ARGS)

test: $(DEV) $(if $(shell command -v npm),$(AXE))
	@$(BIN)/python -m pytest $(ARGS)

check: $(DEV)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if [ -f docs/generate.py ]; then echo '$(BIN)/python docs/generate.py --check'; $(BIN)/python docs/generate.py --check; fi

conformance: $(DEV) $(SUITE)
	@$(BIN)/python tests/conformance/run.py $(ARGS)

threads-suite: $(DEV)
	@$(BIN)/python -m tests.threads.sdk_suite $(ARGS)

threads-clients: $(DEV) $(CLIENTS)
	@$(BIN)/python -m pytest -q tests/threads/test_threads_clients.py $(ARGS)

screenshots: $(DEV)
	@$(BIN)/python docs/screenshots.py

bench: $(DEV)
	@$(BIN)/python benchmarks/run.py $(ARGS)

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock' -c requirements/constraints.txt --extra scripts --extra threads --group build

lock: $(TOOLS)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make lock' \
	  $(ARGS) tests/threads/clients/requirements.in -o tests/threads/clients/requirements.txt
	$(COMPILE) $(ARGS) pyproject.toml -o requirements/run.txt
	$(COMPILE) $(ARGS) --group dev -c requirements/run.txt pyproject.toml -o requirements/dev.txt

clean:
	rm -rf .venv build dist .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN): requirements/run.txt pyproject.toml $(TOOLS)
	$(call install,requirements/run.txt)
	@touch $@

# The development lock holds the other one, so both are satisfied.
$(DEV): requirements/dev.txt requirements/run.txt pyproject.toml $(TOOLS)
	$(call install,requirements/dev.txt)
	@touch $(RUN) $@

# The suite and a Node that is new enough for it, by npm; their versions are locked.
$(SUITE): tests/conformance/package.json tests/conformance/package-lock.json
	@command -v npm >/dev/null || { echo 'the conformance suite needs npm: apt-get install npm' >&2; exit 1; }
	@echo 'installing the MCP conformance suite'
	@mkdir -p $(@D)
	@cp $^ $(@D)
	@cd $(@D) && npm ci --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

# Clients of the threads service that cannot stand beside the others, and one for the Node of the suite above.
$(CLIENTS): $(addprefix tests/threads/clients/,requirements.txt package.json package-lock.json) $(TOOLS) | $(SUITE)
	@echo 'installing clients of the threads service'
	@mkdir -p $(@D)
	@$(BIN)/python -m venv --clear $(@D)/venv
	@{ test -x $(BIN)/uv && $(BIN)/uv pip install --quiet --python $(@D)/venv/bin/python --require-hashes -r $<; } || \
	  $(@D)/venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@cp $(filter %.json,$^) $(@D)
	@cd $(@D) && npm ci --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

# The rules of accessibility that pages are held to, by npm.
$(AXE): tests/console/tools/package.json tests/console/tools/package-lock.json
	@echo 'installing axe-core'
	@mkdir -p $(@D)
	@cp $^ $(@D)
	@cd $(@D) && npm ci --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

$(TOOLS): Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'capably needs Python 3.11 or later: install it, or name it with PYTHON=...' >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	  echo 'creating .venv'; \
	  $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo 'this Python cannot make virtual environments: apt-get install python3-venv' >&2; exit 1; }; \
	  $(PYTHON) -m venv --clear .venv; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) 2>/dev/null || \
	  echo 'uv $(UV_VERSION) cannot be installed; pip is used instead, which takes longer'
	@touch $@

# Install a lock file and the package itself, by uv, or by pip where uv does not work. Hashes are checked either way, and
# the package is built with what the lock holds.
define install
@echo 'installing $(1)'
@$(call pip_install,--require-hashes -r $(1))
@$(call pip_install,--no-deps --no-build-isolation -e .)
endef

pip_install = { test -x $(BIN)/uv && $(BIN)/uv pip install --quiet --python $(BIN)/python $(1); } || \
  $(BIN)/python -m pip install --quiet --disable-pip-version-check $(1)
