# make install | scan | docs | test | test-theory | test-oracle | peers | lint | clean
# CARD, TRIALS and OUT are those of make scan. Each kind of tests has an environment of its own:
#   make test         .venv         everything but the tests that need yadism or n3fit
#   make test-theory  .venv-theory  tests/theory, with yadism and eko
#   make test-oracle  .venv-n3fit   tests/n3fit, with n3fit, validphys and evolven3fit (Python 3.12; 3 GB)
# So have the packages that benchmarks/public_tables.py compares with: make peers makes .venv-peers
# PYTHON names the interpreter that makes .venv, .venv-theory and .venv-peers, N3FIT_PYTHON that of .venv-n3fit; without
# them PATH and the versions of pyenv are searched. An environment that has n3fit already is used as it is:
#   make test-oracle N3FIT_ENV=/path/to/environment

CARD = examples/dis.yml
TRIALS = 10
OUT = scans/$(basename $(notdir $(CARD)))

N3FIT_OWN = .venv-n3fit
N3FIT_ENV = $(N3FIT_OWN)

BIN = .venv/bin
THEORY_BIN = .venv-theory/bin
PEERS_BIN = .venv-peers/bin
PIP_INSTALL = -m pip install --disable-pip-version-check --progress-bar off

# pyenv's python3.12 on PATH fails unless that version is chosen, so its versions are tried themselves
pyenv = $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/$(1)*/bin/python)
PYTHONS = $(or $(PYTHON),python3 $(foreach version,3.13 3.12 3.11,python$(version) $(call pyenv,$(version))))
N3FIT_PYTHONS = $(or $(N3FIT_PYTHON),python3.12 $(call pyenv,3.12))

# $(call environment,FOLDER,VERSION,CONDITION,VARIABLE): unless FOLDER holds a Python of such a version, the first
# interpreter of VARIABLE's that is one makes a virtual environment there
define environment
	@for python in $(1)/bin/python $($(4)S); do \
	  if "$$python" -c 'import ensurepip, sys, venv; sys.exit(not sys.version_info$(3))' >/dev/null 2>&1; then \
	    if test "$$python" != $(1)/bin/python; then "$$python" -m venv --clear $(1); fi; exit; \
	  fi; \
	done; \
	echo "$(1) needs Python $(2) with venv; name one: make $(MAKECMDGOALS) $(4)=/path/to/python3" >&2; exit 1
endef

.PHONY: install scan docs test test-theory test-oracle peers lint clean

install: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(call environment,.venv,3.11 or newer, >= (3, 11),PYTHON)
	$(BIN)/python $(PIP_INSTALL) -c constraints.txt -e '.[test,docs]'
	@touch $@

scan: install
	$(BIN)/hyperparton scan $(CARD) --trials $(TRIALS) --output $(OUT) --report

docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

test: lint docs
	$(BIN)/python -m pytest -n 2 --dist loadfile --durations 60 --durations-min 3 -m 'not theory and not n3fit'

test-theory: .venv-theory/.installed
	$(THEORY_BIN)/python -m pytest tests/theory

.venv-theory/.installed: pyproject.toml constraints-theory.txt
	$(call environment,.venv-theory,3.11 or newer, >= (3, 11),PYTHON)
	$(THEORY_BIN)/python $(PIP_INSTALL) -c constraints-theory.txt -e '.[theory]' pytest hypothesis
	@touch $@

test-oracle: $(if $(filter $(N3FIT_OWN),$(N3FIT_ENV)),$(N3FIT_OWN)/.installed)
	PYTHONPATH=$(CURDIR)/src $(N3FIT_ENV)/bin/python -m pytest -n 2 --dist loadfile -rP tests/n3fit

# nnpdf: n3fit, validphys and evolven3fit. pdfflow and lhapdf-management read PDF sets where LHAPDF is not installed;
# pypandoc_binary brings the pandoc of vp-hyperoptplot
$(N3FIT_OWN)/.installed: pyproject.toml constraints-n3fit.txt
	$(call environment,$(N3FIT_OWN),3.12,[:2] == (3, 12),N3FIT_PYTHON)
	$(N3FIT_OWN)/bin/python $(PIP_INSTALL) -c constraints-n3fit.txt \
	  -e '.[n3fit]' nnpdf lhapdf-management pdfflow pypandoc_binary pytest pytest-xdist
	@touch $@

peers: .venv-peers/.installed

.venv-peers/.installed: benchmarks/peers.txt
	$(call environment,.venv-peers,3.11 or newer, >= (3, 11),PYTHON)
	$(PEERS_BIN)/python $(PIP_INSTALL) -r benchmarks/peers.txt
	@touch $@

clean:
	rm -rf .venv .venv-theory .venv-peers $(N3FIT_OWN) build dist src/hyperparton.egg-info
	rm -rf .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
