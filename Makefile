# Everything a newcomer, a developer and CI run. `make help` lists it.
# Tools live in .venv; what takes long to build (the kind node image) is kept in ~/.cache/tracejob.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON  := /usr/bin/python3
BIN     := .venv/bin
PACKAGES := crds/tracejob_api node-agent/tracelang node-agent/tracejob_agent operator/tracejob_operator \
           kubectl_plugin/kubectl_trace
# A certificate authority of your own (company proxy): images are built with it when it is set.
CA_FILE ?= $(or $(PIP_CERT),$(REQUESTS_CA_BUNDLE))
# Any cluster instead of our kind cluster: make test-e2e KUBECONFIG_FILE=~/.kube/config
KUBECONFIG_FILE ?=
CLUSTER := PYTHONPATH=scripts $(PYTHON) -m kindcluster
MATRIX  := PYTHONPATH=scripts $(PYTHON) -m kernelmatrix
KERNELS ?= 5.10 6.1 6.12 7.2
PART    ?= all
# What `make test` runs of it: the oldest kernel that many run, and the newest.
CI_KERNELS ?= 6.1 7.2
# What `make bench` is told: BENCH="--only added events --rounds 5 --print"
BENCH   ?=
UNIT    := not kernel and not e2e and not matrix
stage    = @echo; echo "==== $(1) ($$(date +%T))"

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---- What a newcomer runs

.PHONY: demo
demo: ## Trace a small workload on this machine, without a cluster (root, Debian 12)
	@scripts/install-deps.sh demo
	@$(MAKE) -s --no-print-directory venv
	@$(BIN)/python scripts/demo.py

.PHONY: test
test: ## Everything: static checks, unit, real BPF, two kernels in QEMU, a real cluster
	@scripts/install-deps.sh test
	@$(MAKE) -s --no-print-directory venv
	@$(MAKE) --no-print-directory check test-unit test-kernel
	@$(MAKE) --no-print-directory test-kernels KERNELS="$(CI_KERNELS)" PART=short
	@$(MAKE) --no-print-directory test-e2e

.PHONY: test-fast
test-fast: venv check test-unit ## The inner loop: static checks and unit tests

# ---- Parts of it

.PHONY: install-deps
install-deps: ## Debian packages that the tests need
	@scripts/install-deps.sh test

.PHONY: check
check: venv ## ruff, mypy, import-linter
	$(call stage,static checks)
	$(BIN)/ruff check .
	$(BIN)/mypy
	cd scripts && ../$(BIN)/mypy --config-file ../pyproject.toml -p kindcluster -p kernelmatrix
	$(BIN)/mypy -m benchmarks.__main__
	$(BIN)/lint-imports

.PHONY: generate
generate: venv ## Write the CRDs from the types in crds/tracejob_api, and the compiled templates of the C generator
	PYTHONPATH=crds $(BIN)/python -m tracejob_api.schema crds
	PYTHONPATH=node-agent $(BIN)/python -m tracelang.codegen.compile_templates

.PHONY: test-unit
test-unit: venv ## Tests that need neither root nor a cluster
	$(call stage,unit tests)
	$(BIN)/pytest -q -n auto -m "$(UNIT)" tests

.PHONY: test-kernel
test-kernel: venv ## Tests that load BPF into this kernel (root)
	$(call stage,kernel tests)
	@mountpoint -q /sys/kernel/tracing || mount -t tracefs nodev /sys/kernel/tracing
	$(BIN)/pytest -q -m kernel tests

.PHONY: test-kernels
test-kernels: ## The same on Debian kernels in QEMU: KERNELS="5.10 6.1 6.12 7.2", PART=all or short
	$(call stage,kernel matrix)
	@scripts/install-deps.sh matrix
	@$(MAKE) -s --no-print-directory venv
	@$(MATRIX) --part $(PART) $(KERNELS)

.PHONY: test-e2e
test-e2e: venv ## Tests on a real cluster: ours, or KUBECONFIG_FILE=...
	$(call stage,end-to-end tests)
ifeq ($(KUBECONFIG_FILE),)
	@$(MAKE) --no-print-directory cluster-up images-load
endif
	$(BIN)/pytest -m e2e -n 4 --dist loadfile --durations=10 $(if $(KUBECONFIG_FILE),--kubeconfig $(KUBECONFIG_FILE)) tests

.PHONY: bench
bench: venv ## Measure side by side with bpftrace and bcc's tools, into docs/benchmarks.md (root; a quarter of an hour)
	@scripts/install-deps.sh bench
	$(BIN)/python -m benchmarks $(BENCH)

.PHONY: bench-cluster
bench-cluster: venv ## Measure on the cluster: create -> attached, stage by stage, the median of ten
	@$(BIN)/python benchmarks/create_to_attached.py \
	  --kubeconfig $(or $(KUBECONFIG_FILE),$$($(CLUSTER) up))

# ---- Images and the cluster

.PHONY: images
images: ## Build both images with Docker, print their sizes
	@scripts/build-images.sh $(if $(CA_FILE),--ca $(CA_FILE))

.PHONY: images-load
images-load: images
	@$(CLUSTER) load tracejob/operator:dev tracejob/node-agent:dev

.PHONY: cluster-up
cluster-up: ## A two-node kind cluster, used again while its inputs are unchanged
	@$(CLUSTER) up

.PHONY: cluster-down
cluster-down: ## Delete that cluster
	@$(CLUSTER) down

.PHONY: cluster-env
cluster-env: ## What your shell needs to use it: eval "$(make -s cluster-env)"
	@$(CLUSTER) env

# ---- The virtual environment

.PHONY: venv
venv: .venv/.installed

# bcc's Python module comes from Debian, hence the system's packages; all else is pinned by hash.
# The packages are linked beside the others too: tracejob-agent and tracejob-bpftrace look there before anything else.
.venv/.installed: requirements/dev.txt pyproject.toml $(wildcard node-agent/start/*)
	@[ ! -e .venv/.unfinished ] || { echo "Starting .venv anew, as it was left unfinished"; rm -rf .venv; }
	@mkdir -p .venv && touch .venv/.unfinished
	@[ -x $(BIN)/python ] || { echo "Making .venv"; $(PYTHON) -m venv --system-site-packages .venv; }
	@echo "Installing pinned Python packages into .venv"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@ln -sfn $(addprefix $(CURDIR)/,$(PACKAGES)) -t $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
	@$(BIN)/python -m compileall -q $(PACKAGES)
	@rm .venv/.unfinished
	@touch $@

.PHONY: lock
lock: ## Pin anew what pyproject.toml asks for
	for extra in operator agent; do \
	  $(COMPILE) --extra $$extra -o requirements/$$extra.txt pyproject.toml; \
	done
	$(COMPILE) --extra agent --extra cli --extra operator --extra dev -o requirements/dev.txt pyproject.toml

COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --no-header --strip-extras --allow-unsafe \
           --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
