# make run      the built-in world, end to end: table and report at the end
# make test     lint, types, tests; with CI set, the slow tests too
# make numbers  the tests that touch numbers, as on processors with AVX2 alone and with none of it
# make lint     lint and types only
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: run test numbers lint

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
PYTEST := $(BIN)/pytest -n 2 --dist loadfile

# glibc gives large blocks back to the kernel at every training step otherwise, which can double its time
export MALLOC_MMAP_THRESHOLD_ := 4294967296
export MALLOC_TRIM_THRESHOLD_ := 8589934592
export HF_HUB_DISABLE_TELEMETRY := 1
export TOKENIZERS_PARALLELISM := false
# a short spin: none costs a third of the speed, a long one slows all down where another process has a core
export GOMP_SPINCOUNT := 20000

run: $(INSTALLED)
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-$$(nproc)} $(BIN)/deliberant run recipes/micro.yaml --jobs 2

test numbers: export HF_HUB_OFFLINE := 1
test numbers: export OMP_NUM_THREADS := 1
test: lint
	$(PYTEST) $(if $(CI),,-m "not slow")

AVX2 := ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2
PLAIN := ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 MKL_ENABLE_INSTRUCTIONS=SSE4_2
numbers: $(INSTALLED)
	$(AVX2) $(PYTEST) -m numbers
	$(PLAIN) $(PYTEST) -m numbers

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@
