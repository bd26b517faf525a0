# `make demo` and `make test` set up what they need. PYTHON names another interpreter, NNGPT_PERFCLF_HOME another cache folder.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.PHONY: setup demo test lint ship clean

PYTHON ?= python3.11
CACHE := $(abspath $(or $(NNGPT_PERFCLF_HOME),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/nngpt_perfclf))
NNGPT := $(CACHE)/nn-gpt-1.0.6
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
# Two busy thread pools that spin while they wait halve each other's speed.
THREADS := OMP_WAIT_POLICY=PASSIVE TOKENIZERS_PARALLELISM=false

# Leave the wheels of a requirements file in the cache folder, checked against their hashes: from there if they are
# whole, else from the registry. They arrive under their names complete or not at all.
define fetch
	mkdir -p $(CACHE)/wheels
	find $(CACHE)/wheels -name '.landing.*' -mmin +120 -exec rm -r {} +
	landing=$$(mktemp -d -p $(CACHE)/wheels .landing.XXXXXX)
	trap 'rm -rf "$$landing"' EXIT
	download="$(PIP) download --no-deps --only-binary=:all: --require-hashes --requirement $(1) --dest $$landing"
	if ! $$download --no-index --find-links $(CACHE)/wheels 2>/dev/null; then
		echo "set-up: downloading $$(grep -o '^[a-z-]*==[^ ]*' $(1) | xargs)"
		rm -rf "$$landing"/*
		$$download
	fi
	mv "$$landing"/*.whl $(CACHE)/wheels/
endef

setup: .venv/.ready $(NNGPT)
	@$(BIN)/nngpt-perfclf models --fetch > /dev/null

demo: setup
	@$(THREADS) $(BIN)/python examples/demo.py

test: setup
	@$(THREADS) HF_HUB_OFFLINE=1 $(BIN)/python -m pytest

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/lint-imports

# For maintainers: RUN, a finished run folder of `train`, becomes the adviser that travels with the package.
ship: .venv/.ready
	@$(BIN)/python -m nngpt_perfclf.advice.shipping $(RUN)

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# The stamp is the last thing written. Without it an environment may be half made, and is made anew.
.venv/.ready: setup.cfg constraints.txt requirements/installed.txt
	@if test -e $@; then
		rm $@
	else
		echo "set-up: making .venv with $$($(PYTHON) --version)"
		$(PYTHON) -m venv --clear .venv
	fi
	echo "set-up: installing the pinned dependencies"
	$(PIP) install --constraint constraints.txt pip setuptools
	$(PIP) install --constraint constraints.txt --no-build-isolation --editable '.[llm,dev]'
	echo "set-up: installing LEMUR's recorded trials (105,000 small files)"
	$(call fetch,requirements/installed.txt)
	$(PIP) install --no-deps --no-compile --no-index --find-links $(CACHE)/wheels --require-hashes \
		--requirement requirements/installed.txt
	touch $@

$(NNGPT): | .venv/.ready
	@echo "set-up: unpacking NNGPT's templates into $@"
	$(call fetch,requirements/unpacked.txt)
	rm -rf $@.partial
	$(BIN)/python -m zipfile -e $(CACHE)/wheels/nn_gpt-1.0.6-*.whl $@.partial
	mv $@.partial $@
