# Each target creates .venv when it is missing and installs what it needs, so that every one of them works on a fresh clone.
# PYTHON names the interpreter that .venv is made from; it must be 3.11 or newer.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# For bench: runs of each command, and what to measure; everything but the 10 GB of "long" when left out.
ROUNDS := $(if $(QUICK),1,7)
PARTS :=

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench fuzz parity chaos readme clean

help:
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile

demo: $(VENV)/.run ## ingest the samples into a throw-away warehouse and answer the three questions
	@set -e; \
	CAPHOUSE_WAREHOUSE=$$(mktemp -d); export CAPHOUSE_WAREHOUSE; trap 'rm -rf "$$CAPHOUSE_WAREHOUSE"' EXIT; \
	show() { printf '\n$$ caphouse %s\n' "$$*"; $(BIN)/caphouse "$$@"; }; \
	show ingest samples; \
	show captures --format table; \
	show report rtt --top 12 --format table; \
	show report rtt-by-server --format table; \
	show report protocol-hierarchy --format table; \
	show report destinations --top 6 --ports 4 --format table; \
	show report ports --top 10 --format table; \
	show report port-callers --port 111 --format table

# A file's tests stay together, for what they share takes longer to make than they take.
test: $(VENV)/.test ## run the tests, on up to four cores
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

# From another folder mypy would take tests/ingest/... for parts of ingest.
check: $(VENV)/.check ## lint, formatting, types, import directions, SQL
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	cd tests && ../$(BIN)/mypy --config-file ../pyproject.toml
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint queries

format: $(VENV)/.check ## mend what ruff and sqlfluff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/sqlfluff fix queries

parity: $(VENV)/.test ## compare every capture of the corpus, or the files in CAPTURES, with Wireshark's answers, file by file
	PYTHONPATH=tests $(BIN)/python -m parity $(CAPTURES) $(if $(CAPTURES),--examples)

INPUTS ?= 20000
STEP ?= 0
fuzz: $(VENV)/.test ## send mutated packets and captures through everything: INPUTS of them, from STEP on
	PYTHONPATH=tests $(BIN)/python -m fuzz --inputs $(INPUTS) --step $(STEP)

bench: $(VENV)/.run ## measure speed, memory and size, beside the peers that are installed
	PYTHONPATH=tests $(BIN)/python -m bench --rounds $(ROUNDS) $(if $(README),--readme) $(PARTS)

# make chaos WORKERS=8 CAPTURES=500 KILLS=200 WHERE=local; WHERE is local, azurite or s3.
chaos: $(VENV)/.test ## kill -9 workers that fight over the same captures, while readers look; WORKERS, CAPTURES, KILLS, WHERE
	PYTHONPATH=tests $(BIN)/python -m chaos $(if $(WORKERS),--workers $(WORKERS)) $(if $(CAPTURES),--captures $(CAPTURES)) \
	  $(if $(KILLS),--kills $(KILLS)) $(if $(WHERE),--where $(WHERE)) $(if $(SEED),--seed $(SEED))

readme: $(VENV)/.test ## write the outputs and the reference in README.md anew
	PYTHONPATH=tests $(BIN)/python -m readme

clean: ## remove .venv and everything that tools left behind
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps: one for the environment, one for each set of packages. pip older than 25.1 knows no dependency groups.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("caphouse needs Python 3.11 or newer; say which with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@touch $@

$(VENV)/.run: pyproject.toml $(VENV)/.created
	$(BIN)/python -m pip install --quiet --editable .
	@# pip compiles what it copies; an editable install would be compiled by each command anew where bytecode is not written.
	@$(BIN)/python -m compileall -q __init__.py cli ingest queries warehouse
	@touch $@

$(VENV)/.test: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --group test
	@touch $@

$(VENV)/.check: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --group check
	@touch $@
