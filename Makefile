# `make demo` and `make test` set everything up; `make help` lists all targets.
SHELL := /bin/bash
VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip install --quiet --disable-pip-version-check
# First index for PyTorch: its CPU build. Plain pip takes the much larger CUDA build on x86-64 Linux.
TORCH_INDEX := https://download.pytorch.org/whl/cpu
RUNTIME := base ml embedded
LOCKED := base ml embedded finbert dev bench sdk
# Every test process has its own servers; a file runs in one process, so that its fixtures are built once.
PARALLEL := -n auto --maxprocesses 4 --dist loadfile
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow bench-api bench-faults bench-ingest bench-features bench-ledger bench-history bench-publish bench-load sdk check audit install lock clean programs

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: runtime ## run the whole platform here until Ctrl-C
	@exec $(PYTHON) manage.py demo

test: install programs ## run the tests in parallel (all but the slow ones)
	@$(PYTHON) -m pytest $(PARALLEL)

test-slow: install programs ## run the slow tests
	@$(PYTHON) -m pytest $(PARALLEL) -m slow

bench-api: install ## measure the API beside FastAPI with slowapi and a bare server (ARGS="--seconds 10 --rounds 5")
	@$(PYTHON) -m benchmarks api $(ARGS)

bench-faults: install ## kill -9 each process of a demo under load (ARGS="--rate 10")
	@$(PYTHON) -m benchmarks faults $(ARGS)

bench-ingest: install ## measure how fast prices are stored and read (ARGS=--full: 2.5 million bars)
	@$(PYTHON) -m benchmarks ingest $(ARGS)

bench-history: install ## measure reads of the track record with ten million forecasts (ARGS=--rows N)
	@$(PYTHON) -m benchmarks history $(ARGS)

bench-features: install ## measure feature computation beside a numba limit, TA-Lib and pandas
	@$(PYTHON) -m benchmarks features $(ARGS)

bench-ledger: install ## measure ledger verification (ARGS="--rows 50000": fewer than a million)
	@$(PYTHON) -m benchmarks ledger $(ARGS)

bench-publish: install ## measure publishing beside a minimal implementation and a loop
	@$(PYTHON) -m benchmarks publish $(ARGS)

bench-load: install ## mixed load at 70% of capacity while workers restart (ARGS="--minutes 1": not ten)
	@$(PYTHON) -m benchmarks load $(ARGS)

sdk: runtime ## generate typed Python and TypeScript clients in build/sdk
	@mkdir -p build/sdk && $(PYTHON) manage.py spectacular --format openapi-json --file build/sdk/openapi.json
	@PYTHON=$(PYTHON) deploy/sdk/generate build/sdk/openapi.json build/sdk

check: install ## run every check that is not a test
	@deploy/check $(VENV)/bin

audit: install ## audit the requirements for known vulnerabilities (needs the network)
	@deploy/audit $(VENV)/bin

install: runtime ## create .venv with everything for development
	@$(call sync,dev)

.PHONY: runtime
runtime: $(PYTHON)
	@$(call sync,$(RUNTIME))

$(PYTHON):
	@for name in python3.11 python3.12 python3.13 python3; do \
	  "$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || continue; \
	  echo "Creating $(VENV) with $$name"; "$$name" -m venv $(VENV) && exit 0; rm -rf $(VENV); done; \
	  echo "Python 3.11, 3.12 or 3.13 with the venv module is needed (Debian: apt install python3-venv)." >&2; exit 1

# Install requirement sets once per content; the stamp's name contains their checksum.
define sync
set -e; sum=$$(cat $(foreach set,$(1),requirements/$(set).txt) requirements/torch.txt | cksum | tr ' ' '-'); \
stamp=$(VENV)/.installed-$(firstword $(1))-$$sum; \
if [ ! -e "$$stamp" ]; then echo "Installing requirements ($(strip $(1))), a few minutes the first time"; \
  $(if $(filter ml,$(1)),$(torch);) \
  $(PIP) --require-hashes $(foreach set,$(1),-r requirements/$(set).txt); \
  rm -f $(VENV)/.installed-$(firstword $(1))-*; touch "$$stamp"; fi
endef

define torch
$(PYTHON) -c 'import torch' 2>/dev/null || \
$(PIP) --timeout 5 --retries 0 --index-url $(TORCH_INDEX) -r requirements/torch.txt 2>/dev/null || \
$(PIP) -r requirements/torch.txt
endef

# Chromium and nginx for the tests that need them, where the system can install them.
programs:
	@missing=""; \
	command -v chromium chromium-browser google-chrome >/dev/null 2>&1 || missing="chromium"; \
	PATH="$$PATH:/usr/sbin" command -v nginx >/dev/null 2>&1 || missing="$$missing nginx"; \
	[ -z "$$missing" ] || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 && \
	{ apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing; } >/dev/null 2>&1; } || true

lock: install ## pin the requirements again (needs uv)
	@for name in $(LOCKED); do \
	  uv pip compile --quiet requirements/$$name.in --generate-hashes --universal --python-version 3.11 \
	    --no-emit-package torch --no-header --no-annotate --no-emit-index-url --no-emit-find-links -o requirements/$$name.txt || exit 1; done

clean: ## remove .venv, .data and the servers' files outside the clone
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m config.devserver forget; fi
	@rm -rf $(VENV) .data build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
