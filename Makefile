# Two commands on a fresh machine with Python 3.11+ and make: `make demo`, `make test`. Each installs what it needs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready


.PHONY: demo test test-environments check attack format clean

demo: $(READY)
	$(BIN)/sing-compute --demo

# Two processes on two cores, one thread each: with more they wait for each other. Types and imports are checked beside them.
test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@($(BIN)/mypy && $(BIN)/lint-imports) > $(VENV)/types.log 2>&1 & types=$$!; \
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder; tests=$$?; \
	wait $$types; typed=$$?; cat $(VENV)/types.log; exit $$((tests + typed))

# The whole suite once in each environment that must change nothing (as root: another user is one of them). Takes hours.
test-environments: $(READY)
	$(BIN)/python tests/environments.py

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Kills, disk faults, hostile files and texts for ten minutes: docs/reliability.md.
attack: $(READY)
	$(BIN)/python tests/attack --minutes 10 --seed 0

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# uv installs the pinned set in a minute; where it cannot be had, pip does the same more slowly. Modules are compiled here, as pip does:
# where PYTHONDONTWRITEBYTECODE is set, every process would compile torch again, which takes ten seconds.
$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "uv>=0.9" || true
	if test -x $(BIN)/uv; then \
	  VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --constraint constraints.txt --editable '.[test,check]'; \
	else \
	  $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,check]'; \
	fi
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
