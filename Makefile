# `make` lists the targets. They install everything into .venv once, and again when setup.cfg, constraints.txt or
# pyproject.toml change.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install demo pretrained test test-fast test-extras coverage check-docs lint docs clean

VENV ?= .venv
SETTING ?= full
PYTEST ?=
INSTALLED := $(VENV)/.installed
UNFINISHED := $(VENV)/.unfinished
RUN := $(VENV)/bin/python
# What is not in `dev`. Their tests have the marker `extra` (tests/extras.py).
EXTRAS := onnx,openvino,timm,hf
EXTRAS_VENV := $(VENV)-extras
EXTRAS_INSTALLED := $(EXTRAS_VENV)/.installed
CACHE := $(or $(MUSICREC_CACHE),cache)

help:
	@echo 'make demo                 recommend on synthetic music, then train three networks and recommend with them (2 to 7 minutes)'
	@echo 'make demo SETTING=small   the same with a few tracks, to see whether it runs (2 minutes)'
	@echo 'make pretrained data.manifest=PATH   train the weights that ship, on one thread: the same bits every time; NAMES=beats for those of beats'
	@echo 'make test                 run all tests on up to four cores; WORKERS=N chooses how many at a time; PYTEST="tests/data -x" passes arguments to pytest'
	@echo 'make test-fast            run the tests that are not marked slow, to use while writing (under 60 s on 2 cores)'
	@echo 'make test-extras          run the tests of the extras $(EXTRAS), in $(EXTRAS_VENV), which has them'
	@echo 'make coverage             run all tests and list the lines of musicrec that none of them runs; slower'
	@echo 'make check-docs           check that documents, tables and code agree'
	@echo 'make lint                 check rules and format with ruff, and types with mypy'
	@echo 'make docs                 build the documentation site into site/'
	@echo 'make install              create .venv only; VENV=FOLDER chooses the folder, PYTHON=python3.12 the Python'
	@echo 'make clean                delete .venv, .venv-extras, runs, cache and the files that the tools leave'

install: $(INSTALLED)

# An environment that `make` did not finish is deleted. Into one that somebody else created, it only installs.
$(INSTALLED): setup.cfg constraints.txt pyproject.toml
	@if [ -e $(UNFINISHED) ]; then rm -rf $(VENV); fi
	@if [ ! -x $(RUN) ] || [ -e $@ ]; then mkdir -p $(VENV); touch $(UNFINISHED); rm -f $@; fi
	@if [ ! -x $(RUN) ]; then \
	  for python in $(or $(PYTHON),python3.11 python3.12 python3.10 python3) ''; do \
	    [ -n "$$python" ] || { echo '$(or $(PYTHON),PATH): found no Python 3.10 to 3.12 with venv; choose one with PYTHON=…' >&2; exit 1; }; \
	    "$$python" -c 'import ensurepip, sys, venv; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2> /dev/null && break; \
	  done; \
	  echo "$(VENV): $$("$$python" --version), about 5 GB"; \
	  "$$python" -m venv $(VENV); \
	fi
	$(RUN) -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev,docs]'
	@rm -f $(UNFINISHED); touch $@

ifeq ($(SETTING),full)
DEMO := runs/demo
MUSIC := $(CACHE)/synthetic_demo
overlay = $(1)
else ifeq ($(SETTING),small)
DEMO := runs/demo_small
MUSIC := $(CACHE)/synthetic_small
overlay = [$(1),small]
else
$(error SETTING=$(SETTING): choose full or small)
endif

demo: $(INSTALLED)
	@rm -rf $(DEMO)
	$(RUN) -c 'from musicrec.data.synthetic import make_synthetic; make_synthetic("$(CACHE)/synthetic_first", tracks=48)'
	$(RUN) -m musicrec index $(CACHE)/synthetic_first/audio --models tempo,key --library $(DEMO)/first.sqlite
	$(RUN) -m musicrec query $(CACHE)/synthetic_first/audio/disco_0001.flac -k 5 --library $(DEMO)/first.sqlite
	$(RUN) train.py '+experiment/demo=$(call overlay,crnn)' hydra.run.dir=$(DEMO)/crnn
	$(RUN) train.py '+experiment/demo=$(call overlay,short_chunk_resnet)' hydra.run.dir=$(DEMO)/short_chunk_resnet
	$(RUN) train.py '+experiment/demo=$(call overlay,tempo_net)' hydra.run.dir=$(DEMO)/tempo_net
	$(RUN) recommend.py action=index \
	  'exports=[$(DEMO)/crnn/export,$(DEMO)/tempo_net/export,$(DEMO)/short_chunk_resnet/export]' \
	  source=$(MUSIC)/manifest.csv 'splits=[test]' library=$(DEMO)/library.sqlite
	$(RUN) recommend.py action=query query=$(MUSIC)/audio/disco_0001.flac k=8 library=$(DEMO)/library.sqlite

# One thread, and no newer instructions than AVX2: otherwise sums are rounded in another order, and the weights differ.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
  MKL_CBWR=AVX2 ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2
PRETRAINED ?= musicrec/export/pretrained
NAMES ?= tempo key
OVERRIDES ?=

pretrained: $(INSTALLED)
	@[ -n '$(data.manifest)' ] || { echo 'make pretrained data.manifest=PATH: name the manifest of a rendered corpus (docs/corpus.md)' >&2; exit 2; }
	@rm -rf runs/pretrained
	for name in $(NAMES); do \
	  $(ONE_THREAD) $(RUN) train.py "+experiment/pretrained=$$name" 'data.manifest=$(data.manifest)' \
	    "hydra.run.dir=runs/pretrained/$$name" $(OVERRIDES); \
	done
	for name in $(NAMES); do \
	  $(RUN) -m musicrec publish "runs/pretrained/$$name/export" --out "$(PRETRAINED)/$$name" \
	    --card "experiments/pretrained/$${name}_card.json"; \
	done

# tests/conftest.py puts the files with most slow tests first.
# One process more than there are cores, as some tests wait for browsers, servers and clocks; four at most, for their
# memory.
WORKERS ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$((cores < 4 ? cores + 1 : 4)))
ALL_TESTS := -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --ignore tests/docs -m 'not extra'

test: $(INSTALLED)
	$(RUN) $(ALL_TESTS) $(PYTEST)

# From Python 3.12 on, coverage can use sys.monitoring, which is made to slow programs less than tracing.
coverage: $(INSTALLED)
	$(shell $(RUN) -c 'import sys; print("COVERAGE_CORE=sysmon" * (sys.version_info >= (3, 12)))') \
	  $(RUN) $(ALL_TESTS) --cov --cov-report=term-missing:skip-covered $(PYTEST)

test-fast: $(INSTALLED)
	$(RUN) -m pytest -n 2 --dist loadfile --ignore tests/docs -m 'not slow and not extra' $(PYTEST)

# Takes the packages of .venv, and has the extras on top. A test that skips here fails.
$(EXTRAS_INSTALLED): $(INSTALLED)
	rm -rf $(EXTRAS_VENV)
	$(RUN) -m venv $(EXTRAS_VENV)
	site='import sysconfig; print(sysconfig.get_path("purelib"))'; \
	  $(RUN) -c "$$site" > "$$($(EXTRAS_VENV)/bin/python -c "$$site")/packages.pth"
	$(EXTRAS_VENV)/bin/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[$(EXTRAS)]'
	touch $@

test-extras: $(EXTRAS_INSTALLED)
	$(EXTRAS_VENV)/bin/python -m pytest $$(grep -rl --include='test_*.py' 'mark\.extra(' tests) -m extra --no-skips $(PYTEST)

check-docs: $(INSTALLED)
	$(RUN) -m pytest tests/docs -m 'not extra' $(PYTEST)

lint: $(INSTALLED)
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy

docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict --quiet

clean:
	rm -rf .venv .venv-extras runs multirun cache build dist site *.egg-info .coverage* .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
