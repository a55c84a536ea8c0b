# `make demo` and `make test` set everything up on a fresh machine (Python 3.11+, Node 20).
PYTHON ?= python3
JOBS ?= $(shell $(PYTHON) -c "import os; print(min(4, os.cpu_count() or 1))")
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lab bench tables check notebooks clean help

help:
	@echo "make demo    set up, explain one creature, write out/demo.html and out/demo.pdf"
	@echo "make test    set up and run every check"
	@echo "make lab     open JupyterLab on the quickstart"
	@echo "make bench   measure speed and memory, and write docs/benchmarks.md"
	@echo "make tables  remake the tables in docs/ (the truth table: the rows that are missing)"

demo: .venv/ready
	$(BIN)/salwidgets demo --html out/demo.html

lab: .venv/ready
	mkdir -p out && cd out && ../$(BIN)/salwidgets demo

test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile

check: .venv/ready js/node_modules/ready
	$(BIN)/ruff check .
	$(BIN)/mypy
	cd js && npm run --silent typecheck && npm run --silent test && npm run --silent check

bench: .venv/ready
	$(BIN)/python -m benchmarks --out docs/benchmarks.md

tables: .venv/ready
	$(BIN)/python -m benchmarks.methods docs/methods.md
	$(BIN)/python -m benchmarks.agreement docs/agreement.md
	$(BIN)/python -m benchmarks.truth docs/truth.md
	$(BIN)/python -m benchmarks.ranking docs/ranking.md
	$(BIN)/python -m benchmarks.words docs/words.md
	$(BIN)/python -m benchmarks.concept_parts docs/concepts.md

notebooks: .venv/ready
	$(BIN)/python tests/notebooks/make.py

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

js/node_modules/ready: js/package-lock.json
	cd js && npm ci --no-audit --no-fund --loglevel=error
	touch $@

clean:
	rm -rf .venv js/node_modules out build dist
