# From a fresh clone: `make demo`, `make repro`, `make test`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
# Processes of the fast tests; each imports torch, so that more than the cores help nobody.
WORKERS ?= 2
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export TOKENIZERS_PARALLELISM ?= true

.PHONY: demo repro test slow lint

demo: $(VENV)/installed
	@whyrank demo

repro: $(VENV)/installed
	@find models/source -xtype l -delete  # links to an encoder that is gone, on which DVC would stop
	dvc repro
	@echo
	@whyrank verdict --short

# No test needs a model hub; a library that asks one anyway should fail at once, not hang.
test slow: export HF_HUB_OFFLINE = 1

test: $(VENV)/installed-test lint
	python -m pytest -m "not slow" -n $(WORKERS) --dist worksteal

slow: $(VENV)/installed-test
	python -m pytest -m slow

lint: $(VENV)/installed-test
	ruff check .
	ruff format --check .
	mypy
	lint-imports

$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $@

