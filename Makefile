# make run    the built-in world, end to end: table and report at the end
# make test   lint, types, tests; with CI set, the slow tests too
# make lint   lint and types only
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: run test lint

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

# glibc gives large blocks back to the kernel at every training step otherwise, which can double its time
export MALLOC_MMAP_THRESHOLD_ := 4294967296
export MALLOC_TRIM_THRESHOLD_ := 8589934592
export HF_HUB_DISABLE_TELEMETRY := 1
export TOKENIZERS_PARALLELISM := false
# a short spin: none costs a third of the speed, a long one slows all down where another process has a core
export GOMP_SPINCOUNT := 20000

run: $(INSTALLED)
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-$$(nproc)} $(BIN)/deliberant run recipes/micro.yaml

test: export HF_HUB_OFFLINE := 1
test: export OMP_NUM_THREADS := 1
test: lint
	$(BIN)/pytest $(if $(CI),,-m "not slow")

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@
