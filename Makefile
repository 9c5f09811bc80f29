# make app   install, build the index of the bundled corpus, serve it at http://127.0.0.1:7860
# make demo  serve it and, on another port, a site that shows it as a guest (SITE_PORT=8000)
# make test  install what the tests need and run every check
# make bench, make results DATA=folder of the public sets, make clean

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 7860
SITE_PORT ?= 8000
DATA ?= ../shared/data
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: help app demo install test check unit slow browser bench results clean

help:
	@grep -E '^# make' Makefile | cut -c3-

# A bare Debian has Python without venv: it is fetched from Debian's packages when we may.
.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=..." >&2; exit 1; }
	if ! $(PYTHON) -m venv .venv 2>/dev/null; then
	  rm -rf .venv
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	    apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y python3-venv
	  fi
	  $(PYTHON) -m venv .venv || { echo "python3-venv is missing. Run: sudo apt-get install python3-venv" >&2; exit 1; }
	fi
	$(BIN)/python -m pip install -q --upgrade 'pip>=25.1'

.venv/.app: .venv/bin/pip pyproject.toml
	@echo "Installing (once, a few minutes) ..."
	$(BIN)/python -m pip install -q -e .
	touch $@

.venv/.dev: .venv/.app
	@$(BIN)/python -m pip install -q --group dev
	touch $@

install: .venv/.app

app: .venv/.app
	@$(BIN)/followup index
	exec $(BIN)/followup serve --host $(HOST) --port $(PORT)

demo: .venv/.app
	@$(BIN)/followup index
	exec $(BIN)/python examples/host/demo.py --port $(PORT) --site-port $(SITE_PORT)

test: check unit slow

check: .venv/.dev
	@$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/mypy assistant app.py
	$(BIN)/followup corpus check

unit: .venv/.dev
	@$(BIN)/coverage run -m pytest -q -m "not slow and not browser"
	$(BIN)/coverage report --format=total

# The real model, servers and, where there is one or we may install it, a real browser.
slow: .venv/.dev browser
	@$(BIN)/python -m pytest -q -m "slow or browser"

browser:
	@if [ ! -x /usr/bin/chromium ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	  apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y chromium >/dev/null || echo "No browser could be installed; its tests are skipped." >&2
	fi

bench: .venv/.dev
	@$(BIN)/python eval/bench.py

results: .venv/.dev
	@$(BIN)/python eval/record.py --data $(DATA)

clean:
	@rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis .coverage dist build
