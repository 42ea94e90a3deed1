# Two commands are enough: `make demo` and `make test`. Everything they need goes to .venv.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
DOCS_READY := $(VENV)/.docs-ready

# More than there are processors: many tests wait for processes and for time to pass.
WORKERS := $(shell echo $$(( $$(nproc 2>/dev/null || echo 2) < 4 ? $$(nproc 2>/dev/null || echo 2) + 2 : 5 )))

# What these targets leave behind stays in .venv: the checkout is as clean as before.
CACHE := $(CURDIR)/$(VENV)/cache
export PYTHONPYCACHEPREFIX := $(CACHE)/pycache
# Where nothing is kept, each of hundreds of processes compiles anew what it imports.
export PYTHONDONTWRITEBYTECODE :=
export MYPY_CACHE_DIR := $(CACHE)/mypy
export RUFF_CACHE_DIR := $(CACHE)/ruff
export HYPOTHESIS_STORAGE_DIRECTORY := $(CACHE)/hypothesis
export PIP_CACHE_DIR := $(CACHE)/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test lint types unit dist install docs bench reliability crash-test soak record system-deps clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

$(READY): setup.cfg pyproject.toml
	@command -v $(PYTHON) >/dev/null || \
	  { echo "$(PYTHON) is missing. On Debian: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, and $(PYTHON) is `$(PYTHON) -V 2>&1`. Try: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "Python's venv module is missing. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "setting up $(VENV) (once) ..." >&2
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet -e '.[test]'
	@rm -rf build *.egg-info
	@touch $@

install: $(READY) ## set up .venv with the library, the command and everything for the tests

demo: $(READY) ## order, wait for, download, open, find and revoke certificates against the emulator
	@$(PY) examples/demo.py

test: lint types unit ## everything that must be green: ruff, mypy, pytest

lint: $(READY) ## ruff
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/ruff format --quiet --check .

types: $(READY) ## mypy --strict over library, command and tests
	@$(VENV)/bin/mypy --no-error-summary

unit: $(READY) ## pytest
	@$(PY) -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder -o "cache_dir=$(CACHE)/pytest"

$(DOCS_READY): $(READY)
	@echo "adding Sphinx to $(VENV) (once) ..." >&2
	@$(PY) -m pip install --quiet -e '.[docs]'
	@rm -rf build *.egg-info
	@touch $@

docs: $(DOCS_READY) ## the documentation as pages, in .venv/docs; warnings are errors
	@$(PY) -m sphinx --quiet --nitpicky --fail-on-warning --keep-going -d "$(CACHE)/doctrees" docs $(VENV)/docs
	@echo "$(VENV)/docs/index.html"

$(VENV)/dist-tools: $(READY)
	@echo "setting up $@ (once) ..." >&2
	@rm -rf $@ && $(PY) -m venv $@
	@$@/bin/python -m pip install --quiet 'build>=1.2' 'twine>=6.1' || { rm -rf $@; exit 1; }

dist: $(VENV)/dist-tools ## build sdist and wheel into dist/, install them in new environments, demo and tests there
	@$(PY) -m tests.house.dist $(VENV)/dist-tools/bin/python

bench: $(READY) ## what commands and calls cost, beside the bare interpreter and requests
	@$(PY) benchmarks/startup.py
	@$(PY) benchmarks/calls.py
	@$(PY) benchmarks/emulator.py
	@$(PY) benchmarks/pkcs12.py
	@$(PY) benchmarks/unpacking.py
	@$(PY) benchmarks/signing_requests.py
	@$(PY) benchmarks/inventory.py
	@$(PY) benchmarks/order_book.py
	@$(PY) benchmarks/orders.py
	@$(PY) benchmarks/orders_memory.py

reliability: $(READY) ## every promise of docs/reliability.md in full, and its figures (some twenty minutes)
	@rm -rf "$(CACHE)/figures" && mkdir -p "$(CACHE)/figures"
	@RELIABILITY=full RELIABILITY_FIGURES="$(CACHE)/figures" $(PY) -m pytest -q -n $(WORKERS) --dist loadfile \
	  -o "cache_dir=$(CACHE)/pytest" -o timeout=2400 tests/reliability
	@$(PY) -m tests.reliability.report "$(CACHE)/figures"

crash-test: $(READY) ## orders killed, stopped, starved and raced in full, and the figures of docs/orders.md (most of an hour)
	@$(PY) -m tests.orders.crash
	@RELIABILITY=full $(PY) -m pytest -q -n $(WORKERS) --dist loadfile -o "cache_dir=$(CACHE)/pytest" -o timeout=2400 tests/orders

soak: $(READY) ## the emulator's tests that draw lots, ten times as long, and its memory over 100,000 requests
	@SOAK=10 $(PY) -m pytest -q -n $(WORKERS) -o "cache_dir=$(CACHE)/pytest" -o timeout=2400 \
	  -k "sequences or kill or mutation or mapping or secret or whatever" \
	  tests/emulator/test_model.py tests/emulator/test_state_folder.py tests/emulator/test_config_file.py \
	  tests/emulator/test_journal.py tests/emulator/test_openapi.py
	@$(PY) benchmarks/emulator_memory.py

record: $(READY) ## record what a real account of yours answers to calls that only read, scrubbed (docs/recording.md)
	@$(PY) -m tests.replay.live

system-deps: ## what the tests use of Debian (apt, as root; for CI)
	apt-get update -q
	mkdir -p /etc/postgresql-common
	echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
	apt-get install -q -y --no-install-recommends git man-db openssl python3-venv unzip zsh fish curl chromium chromium-driver \
	  tinyproxy-bin dbus-daemon gnome-keyring libsecret-tools \
	  acl nginx-light strace postgresql

clean: ## remove what these targets made
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
