# make install | scan | docs | test | lint | clean
# PYTHON names the interpreter that makes .venv; CARD, TRIALS and OUT are those of make scan.

CARD = examples/dis.yml
TRIALS = 10
OUT = scans/$(basename $(notdir $(CARD)))

BIN = .venv/bin
STAMP = .venv/.installed
# runs with -c of an interpreter: is it new enough, and can it make a virtual environment
USABLE = import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))

.PHONY: install scan docs test lint clean

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

clean:
	rm -rf .venv build dist src/hyperparton.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
