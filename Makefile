# make run: set up and run the main job. make test: set up, lint, check types, test. What the other
# tests are is in CONTRIBUTING.md. make image: build the cluster's image.
SHELL := /bin/bash
.DEFAULT_GOAL := run
.PHONY: setup run check test test-all test-rest test-tools lint format image test-image \
  kubeflow-test kubeflow-backend-test backend-commands cluster-check container-tools sbom audit \
  clean no-coverage

# Which Python, and with it which TFX: `make run PYTHON=3.11` has the newest.
PYTHON ?= 3.10
PROJECT := $(if $(filter 3.10,$(PYTHON)),.,locks/python-$(PYTHON))

UV_VERSION := 0.13.9
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
# Without bytecode, importing TFX takes 45 s instead of 12 in every process.
export UV_COMPILE_BYTECODE := 1
unexport PYTHONDONTWRITEBYTECODE

setup: .venv/.ready-$(PYTHON)

.tools/bin/uv:
	@echo "uv was not found: installing it into .tools"
	python3 -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# Order-only: uv is needed to build the environment, a newer one is no reason to rebuild it.
.venv/.ready-$(PYTHON): pyproject.toml setup.py $(PROJECT)/uv.lock | $(filter .tools/bin/uv,$(UV))
	PYENV_VERSION=$(PYTHON) UV_PROJECT_ENVIRONMENT=$(CURDIR)/.venv \
	  $(UV) sync --locked --project $(PROJECT) --python $(PYTHON) --extra dev --extra kubeflow --quiet
	@touch $@

run: setup
	.venv/bin/tfx-distill run --preset quick

# One worker a processor of the smallest machine: two a processor take a third longer.
PYTEST = .venv/bin/$(MEASURED) -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_OPTIONS)
MEASURED := pytest
COVERAGE := .venv/bin/coverage
# Percent of the lines and branches that `make test` runs.
COVERED := 96

# mypy checks beside the tests. Only the light tests' files are read: to collect the others takes a
# minute.
check: lint
	.venv/bin/mypy & types=$$!; \
	$(PYTEST) -m "light and not slow" $$(grep --recursive --files-with-matches --include='test_*.py' \
	  'pytest.mark.light' tests); tests=$$?; \
	wait $$types && exit $$tests

test: MEASURED := coverage run -m pytest
test: test-tools no-coverage check
	$(PYTEST) -m "not light and not slow and not containers"
	$(COVERAGE) combine --quiet
	$(COVERAGE) report --format=total --fail-under=$(COVERED)

no-coverage:
	@rm -rf .coverage

# What `make test` leaves out; with TURN=0/4 the first of four parts of it.
test-rest: setup test-tools
	$(PYTEST) -m "slow and not containers" $(if $(TURN),--turn $(TURN))

test-all: test
	$(MAKE) test-rest MEASURED="coverage run -m pytest"
	$(COVERAGE) combine --quiet --append
	$(COVERAGE) report

# What some tests need beside Python: a database server, a browser, another clock. No service is
# started.
test-tools:
	@missing=(); \
	[ -n "$$(PATH=$$PATH:/usr/sbin command -v mariadbd)" ] || missing+=(mariadb-server); \
	[ -n "$$(command -v chromium)" ] || missing+=(chromium); \
	[ -n "$$(command -v faketime)" ] || missing+=(faketime); \
	skipped="the tests that need $${missing[*]} will be skipped"; \
	if [ $${#missing[@]} -eq 0 ]; then :; \
	elif [ "$$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then \
	  echo "$$skipped: only root can install it, with apt-get"; \
	else \
	  echo "installing for the tests: $${missing[*]}"; \
	  export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1; \
	  { apt-get update -qq && \
	    apt-get install -qq --no-install-recommends "$${missing[@]}"; } >/dev/null 2>&1 || \
	    echo "$$skipped: apt-get could not install it"; \
	fi

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

format: setup
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

# The image that a cluster's tasks run in; EXTRA=gpu adds CUDA's libraries.
IMAGE ?= tfx-distill
BASE ?= python:$(PYTHON)-slim
PODMAN := $(shell command -v podman || command -v docker)
REVISION = $(shell git describe --always --abbrev=40 --exclude='*' --dirty=-modified)

# A machine with certificates of its own, behind a proxy say, lends them to the build.
image:
	@[ -n "$(PODMAN)" ] || { echo "make image needs podman or docker" >&2; exit 1; }
	$(PODMAN) build --file kubeflow/Dockerfile --tag $(IMAGE) --build-arg BASE=$(BASE) \
	  --build-arg PROJECT=$(PROJECT) \
	  --build-arg UV_VERSION=$(UV_VERSION) --build-arg EXTRA=$(EXTRA) \
	  --build-arg REVISION=$(REVISION) \
	  $${SSL_CERT_FILE:+--secret "id=certificates,src=$$SSL_CERT_FILE"} $(BUILD_OPTIONS) .

# Builds the image on a base that is made here, as no registry may be reached, and runs every task
# of the compiled pipeline in it.
TEST_BASE := localhost/python:3.10-slim
TEST_IMAGE := localhost/tfx-distill:test

kubeflow-test kubeflow-backend-test: export TFX_DISTILL_IMAGE := $(TEST_IMAGE)
kubeflow-test kubeflow-backend-test: export UV := $(abspath $(UV))
test-image kubeflow-test kubeflow-backend-test: \
  export CONTAINERS_CONF := $(CURDIR)/tests/kubeflow/image/containers.conf

test-image: setup container-tools
	tests/kubeflow/image/base.sh $(TEST_BASE)
	$(MAKE) image PODMAN=podman BASE=$(TEST_BASE) IMAGE=$(TEST_IMAGE) \
	  BUILD_OPTIONS="--pull=never --network=host"

# RELEASE=2.5.0: what that release of Kubeflow Pipelines gives the tasks.
kubeflow-test: export TFX_DISTILL_RELEASE = $(or $(RELEASE),2.17.0)
kubeflow-test: test-image
	.venv/bin/pytest tests/kubeflow -m containers

# The same by Kubeflow's own compiler, driver and launcher, which Go builds of their sources;
# RECORD=--record keeps what they give to tasks.
BACKEND := tests/kubeflow/backend
COMMANDS := $(CURDIR)/.tools/kubeflow

kubeflow-backend-test:
	@if command -v go >/dev/null; then $(MAKE) backend-commands test-image && \
	  TFX_DISTILL_BACKEND=$(COMMANDS) .venv/bin/pytest tests/kubeflow/test_on_backend.py \
	    -m containers $(RECORD); \
	else echo "make kubeflow-backend-test is skipped: it needs Go, https://go.dev"; fi

backend-commands:
	mkdir -p $(COMMANDS)
	cd $(BACKEND) && CGO_ENABLED=0 go build -o $(COMMANDS)/ tool ./workflow

# Runs the preset quick on a cluster of yours: IMAGE, RELEASE of Kubeflow Pipelines, NAMESPACE.
NAMESPACE ?= kubeflow
cluster-check: setup
	@[ -n "$(RELEASE)" ] || { echo "make cluster-check needs RELEASE=, such as 2.14.0, of Kubeflow" \
	  "Pipelines, and IMAGE=, as the cluster pulls it" >&2; exit 1; }
	.venv/bin/python tests/kubeflow/cluster_check.py --image $(IMAGE) --release $(RELEASE) \
	  --namespace $(NAMESPACE) $(addprefix --set=,$(SET))

container-tools:
	@missing=(); \
	for tool in podman buildah runc debootstrap; do \
	  [ -n "$$(PATH=$$PATH:/usr/sbin command -v $$tool)" ] || missing+=($$tool); \
	done; \
	needs="make kubeflow-test needs podman, buildah, runc and debootstrap, and root to use them"; \
	if [ "$$(id -u)" -ne 0 ]; then echo "$$needs: run it as root" >&2; exit 1; \
	elif [ $${#missing[@]} -eq 0 ]; then :; \
	elif ! command -v apt-get >/dev/null; then \
	  echo "$$needs: install $${missing[*]}" >&2; exit 1; \
	else \
	  echo "installing for the tests: $${missing[*]}"; \
	  export DEBIAN_FRONTEND=noninteractive; \
	  { apt-get update -qq && \
	    apt-get install -qq --no-install-recommends "$${missing[@]}"; } >/dev/null 2>&1 || \
	    { echo "$$needs: apt-get could not install $${missing[*]}" >&2; exit 1; }; \
	fi

# What the image holds of Python, as CycloneDX; what its Dockerfile leaves out is left out here.
SBOM ?= sbom.cdx.json
LOCKED_PACKAGES = $(UV) export --frozen --project $(PROJECT) --quiet --no-emit-local \
  --no-emit-package babel --no-emit-package jupyterlab --no-emit-package jupyterlab-server \
  --no-emit-package libclang --no-emit-package notebook

sbom: | $(filter .tools/bin/uv,$(UV))
	$(LOCKED_PACKAGES) --format cyclonedx1.5 --output-file $(SBOM) >/dev/null

# Asks PyPI for known vulnerabilities of the same; strict, for without an answer it would pass.
PIP_AUDIT := pip-audit==2.10.1

audit: | $(filter .tools/bin/uv,$(UV))
	requirements=$$(mktemp) && trap 'rm -f $$requirements' EXIT && \
	$(LOCKED_PACKAGES) --format requirements.txt --output-file $$requirements >/dev/null && \
	$(UV) tool run $(PIP_AUDIT) --strict --require-hashes --disable-pip \
	  --progress-spinner off --requirement $$requirements

clean:
	rm -rf .venv .tools .coverage .mypy_cache .ruff_cache .pytest_cache *.egg-info
