# What a person types. On a machine with Python 3.11 and make, each command makes what it needs first.
#
#   make train                        train three agents to spread out (configs/spread.yaml); ARGS="--updates 5 --actors 4" go on to `chorus train`
#   make studies                      measure what is claimed of learning (docs/studies/, three hours on 2 cores)
#   make test                         make check, then every test that is not slow; ARGS="tests/actor -k seed" go on to pytest
#   make chaos                        200 faults beside a run, which must end with the weights of an undisturbed one
#   make faults                       networks poor and cut, full disks, jumping clocks, crowds, signals: the same bytes (20 minutes)
#   make portable                     the same bytes on processors of other makes, emulated (an hour; needs qemu-x86_64 10 or newer)
#   make slow                         the tests that take minutes: fuzzing, soak, every environment elsewhere
#   make page                         look at the web page in a headless Chromium (Debian: apt-get install chromium)
#   make containers                   build the images; a fleet learns, scaled, killed, paused, moved; needs Docker with Compose
#   make check                        lint, formatting, types
#   make format                       put formatting right
#   make protos                       generate the modules of the wire contract (the other commands do it when needed)
#   make kernel                       compile the loops of the learner's LSTM (likewise)
#   make lock                         resolve requirements/*.txt anew from pyproject.toml
#   make docs                         build the documentation into build/docs; any broken link is an error
#   make derived                      write anew what is made from other files: docs/reference, docs/metrics.md, the
#                                     alerts for Kubernetes
#   make clean                        take away all that these commands made

SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
PROTOS := $(wildcard protos/*/*/*.proto)
GENERATED := $(PROTOS:.proto=_pb2.py)
KERNEL := learner/gradient/lstm.so
MADE := $(GENERATED) $(KERNEL)
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq

.PHONY: help
help:
	@sed -n '3,/^$$/s/^# *//p' Makefile

.PHONY: train
train: $(STAMP) $(MADE)
	@exec $(BIN)/chorus train --config configs/spread.yaml $(ARGS)

.PHONY: studies
studies: $(STAMP) $(MADE)
	@exec $(BIN)/chorus study all $(ARGS)

.PHONY: test
test: check
	@exec $(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

.PHONY: chaos
chaos: $(STAMP) $(MADE)
	@exec $(BIN)/chorus chaos --updates 600 --faults 200 --lag 1 --out runs/chaos-$$(date +%Y%m%d-%H%M%S) $(ARGS)

.PHONY: faults
faults: $(STAMP) $(MADE)
	@exec $(BIN)/python -m pytest -m 'slow or not slow' tests/faults $(ARGS)

.PHONY: portable
portable: $(STAMP) $(MADE)
	@exec $(BIN)/python -m pytest -m 'slow or not slow' tests/system/test_portability.py $(ARGS)

.PHONY: slow
slow: $(STAMP) $(MADE)
	@exec $(BIN)/python -m pytest -m slow $(ARGS)

.PHONY: page
page: $(STAMP) $(MADE)
	@$(BIN)/python -c 'import playwright, axe_playwright_python' 2>/dev/null || $(PIP) install playwright==1.65.2 axe-playwright-python==0.1.8
	@exec $(BIN)/python -m pytest -m browser tests/page $(ARGS)

.PHONY: containers
containers: $(STAMP) $(MADE)
	@exec $(BIN)/python -m pytest -m containers --capture=no tests/containers $(ARGS)

.PHONY: check
check: $(STAMP) $(MADE)
	@echo "Checking lint, formatting and types"
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo "Formatting differs: 'make format' puts it right." >&2; exit 1; }
	@$(BIN)/mypy

.PHONY: format
format: $(STAMP)
	$(BIN)/ruff check --quiet --fix-only
	$(BIN)/ruff format --quiet

.PHONY: protos
protos: $(STAMP) $(GENERATED)

.PHONY: kernel
kernel: $(STAMP) $(KERNEL)

# Order-only on the stamp: a new environment alone does not make them old.
$(GENERATED): $(PROTOS) | $(STAMP)
	@echo "Generating the wire contract's modules"
	@$(BIN)/python setup.py -q build_protos

# Where there is no C compiler nothing is made, and learners go without.
$(KERNEL): learner/gradient/lstm.c setup.py | $(STAMP)
	@echo "Compiling the LSTM's loops"
	@$(BIN)/python setup.py -q build_kernel

# The environment. The stamp comes last: a set-up that failed is begun again by the next command.
$(STAMP): requirements/dev.txt pyproject.toml setup.py
	@rm -f $@
	@$(BIN)/python -c 'import pip' 2>/dev/null || { \
	  for python in $(or $(PYTHON),python3.11 python3 python); do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	    python=; \
	  done; \
	  [ -n "$$python" ] || { echo "Chorus needs Python 3.11 or newer: found none here as $(or $(PYTHON),python3.11 python3 python). Name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }; \
	  echo "Making $(VENV) with $$($$python --version)"; \
	  "$$python" -m venv --clear $(VENV); }
	@echo "Installing $$(grep -c == $<) packages from $< into $(VENV) (minutes the first time: torch is large)"
	@$(PIP) install -r $<
	@echo "Installing Chorus itself, from this folder"
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: lock
lock: $(STAMP)
	$(BIN)/python requirements/lock.py

RULES := deploy/kubernetes/overlays/monitoring/rules.yaml

.PHONY: docs
docs: $(STAMP) $(MADE)
	@rm -rf build/docs
	@$(BIN)/python -m sphinx -q -W --keep-going -n -b html docs build/docs
	@echo "Built build/docs/index.html"

.PHONY: derived
derived: $(STAMP) $(MADE)
	$(BIN)/python -m docs.generate
	$(BIN)/python -m chorus.common.monitoring.metrics_page >docs/metrics.md
	{ printf '%s\n' '# ../../../prometheus/rules.yml for the Prometheus operator: `make derived` writes it.' 'apiVersion: monitoring.coreos.com/v1' \
	  'kind: PrometheusRule' 'metadata: { name: chorus }' 'spec:'; sed '/./s/^/  /' deploy/prometheus/rules.yml; } >$(RULES)

.PHONY: clean
clean:
	rm -rf $(VENV) build dist chorus_marl.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .ci/tools $(GENERATED) $(GENERATED:.py=.pyi) $(KERNEL)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
