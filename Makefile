# `make dev` and `make test` need Python 3.11+ and nothing else; the rest is installed from the locks.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := common services operator executor devcluster cli
ARGS ?=

.PHONY: help dev test lint format proto crd rbac admission reference lock clean
.PHONY: bench bench-operator bench-control bench-executor mutants
help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(VENV)/.installed: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "hourglass needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

dev: $(VENV)/.installed  ## run everything on this machine; ARGS="--ci" for one unattended round
	@exec $(BIN)/hourglass dev $(ARGS)

test: $(VENV)/.installed  ## run all tests that this machine can run; ARGS="--tiers unit"
	@$(BIN)/python scripts/run_tests.py $(ARGS)

lint: $(VENV)/.installed  ## style, types, walls, and drift of everything generated
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python scripts/check_source_roots.py
	$(BIN)/python scripts/generate_proto.py --check
	cd proto && ../$(BIN)/buf lint && ../$(BIN)/buf format --diff --exit-code --exclude-path buf
	$(BIN)/python scripts/generate_crd.py --check
	$(BIN)/python scripts/generate_reference.py --check
	$(BIN)/python scripts/generate_operator_reference.py --check
	$(BIN)/python scripts/generate_executor_reference.py --check
	$(BIN)/python scripts/generate_routing_reference.py --check
	$(BIN)/python scripts/generate_command_reference.py --check
	$(BIN)/python scripts/generate_rbac.py --check
	$(BIN)/python scripts/generate_admission.py --check
	$(BIN)/python scripts/lock.py --check
	$(BIN)/lint-imports
	$(BIN)/mypy $(SOURCES) scripts tests
	$(BIN)/basedpyright

format: $(VENV)/.installed  ## put the code in its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cd proto && ../$(BIN)/buf format --write --exclude-path buf

proto: $(VENV)/.installed  ## generate the Python code of the .proto files
	$(BIN)/python scripts/generate_proto.py

crd: $(VENV)/.installed  ## generate the CRD and its reference page from the Python types
	$(BIN)/python scripts/generate_crd.py
	$(BIN)/python scripts/generate_reference.py

reference: $(VENV)/.installed  ## write the pages about metrics, reasons, settings and commands
	$(BIN)/python scripts/generate_operator_reference.py
	$(BIN)/python scripts/generate_executor_reference.py
	$(BIN)/python scripts/generate_routing_reference.py
	$(BIN)/python scripts/generate_command_reference.py

rbac: $(VENV)/.installed  ## generate the operator's roles from its rules
	$(BIN)/python scripts/generate_rbac.py

admission: $(VENV)/.installed  ## generate the admission policies from the operator's rules
	$(BIN)/python scripts/generate_admission.py

lock: $(VENV)/.installed  ## resolve the lock files anew; ARGS="--upgrade" for newer versions
	$(BIN)/python scripts/lock.py $(ARGS)

bench: $(VENV)/.installed  ## run the benchmarks
	$(BIN)/python -m tests.bench $(ARGS)

bench-operator: $(VENV)/.installed  ## measure the operator under load, 15 minutes; ARGS="--quick"
	$(BIN)/python -m tests.bench.operator_bench $(ARGS)

bench-control: $(VENV)/.installed  ## measure PerformerControl under load, 5 minutes; ARGS="--quick"
	$(BIN)/python -m tests.bench.control_bench $(ARGS)

bench-executor: $(VENV)/.installed  ## measure the executor under load and kills, 15 minutes; ARGS="--quick"
	$(BIN)/python -m tests.bench.executor_bench $(ARGS)

mutants: $(VENV)/.installed  ## put known bugs into a copy of the sources: a test must find each
	$(BIN)/python -m tests.mutants.run $(ARGS)

clean:  ## remove what was made here, the data of `make dev` too
	rm -rf $(VENV) .hourglass .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
