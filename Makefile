# make install | scan | docs | test | test-oracle | lint | clean
# PYTHON names the interpreter that makes .venv; CARD, TRIALS and OUT are those of make scan.
# make test-oracle runs the tests with the real n3fit in an environment of its own, N3FIT_ENV (Python 3.12; 3 GB).
# An environment that is there already is used as it is: make test-oracle N3FIT_ENV=/path/to/environment

CARD = examples/dis.yml
TRIALS = 10
OUT = scans/$(basename $(notdir $(CARD)))

N3FIT_OWN = .venv-n3fit
N3FIT_ENV = $(N3FIT_OWN)
N3FIT_PYTHON = python3.12

BIN = .venv/bin
STAMP = .venv/.installed
# runs with -c of an interpreter: is it new enough, and can it make a virtual environment
USABLE = import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))

.PHONY: install scan docs test test-oracle lint clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(BIN)/python -c '$(USABLE)' 2>/dev/null || { \
	  for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	    if "$$python" -c '$(USABLE)' 2>/dev/null; then exec "$$python" -m venv --clear .venv; fi; \
	  done; \
	  echo "make install needs Python 3.11 or newer with venv; name one: make install PYTHON=/path/to/python3" >&2; \
	  exit 1; }
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -c constraints.txt -e '.[test,docs]'
	@touch $@

scan: install
	$(BIN)/hyperparton scan $(CARD) --trials $(TRIALS) --output $(OUT)
	$(BIN)/hyperparton report $(OUT)

docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

test: lint docs
	$(BIN)/python -m pytest

test-oracle: $(N3FIT_ENV)/bin/n3fit
	PYTHONPATH=$(CURDIR)/src $(N3FIT_ENV)/bin/python -m pytest -rsP tests/n3fit

# nnpdf: n3fit, validphys and evolven3fit. pdfflow and lhapdf-management read PDF sets where LHAPDF is not installed;
# pypandoc_binary brings the pandoc of vp-hyperoptplot
$(N3FIT_ENV)/bin/n3fit:
	@$(N3FIT_PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' || { \
	  echo "make test-oracle needs Python 3.12; name it: make test-oracle N3FIT_PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(N3FIT_PYTHON) -m venv --clear $(N3FIT_ENV)
	$(N3FIT_ENV)/bin/python -m pip install --disable-pip-version-check --progress-bar off \
	  -e '.[n3fit]' nnpdf==4.1.5 lhapdf-management pdfflow pypandoc_binary pytest

clean:
	rm -rf .venv $(N3FIT_OWN) build dist src/hyperparton.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
