# Two commands: `make demo` and `make test`. Both install what they need and are quick the second time.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
PROTOS := $(wildcard agent/proto/*.proto)
# qemu: the emulators; gdb-multiarch: the debugger; libsasl2, libssl3: the genuine master's CRAM-MD5 and TLS; tmux: tests drive the real terminal
APT := qemu-system-arm qemu-system-misc gdb-multiarch libsasl2-2 libsasl2-modules libssl3 tmux
# tests only: a ZooKeeper (with its Java) that keeps who the leading master is
test campaigns: APT += zookeeper
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

.DEFAULT_GOAL := help
.PHONY: help install system demo test unit lint campaigns benchmarks snapshots supply lock sbom audit clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

system: # Debian's packages, asked for only when one is missing
	@missing=$$(dpkg-query -W -f '$${Package} $${db:Status-Status}\n' $(APT) python3-venv 2>/dev/null | awk '$$2 == "installed" { print $$1 }' \
	  | grep -Fxv -f - <(printf '%s\n' $(APT)) || true); \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv"; \
	if [ -n "$${missing// /}" ]; then \
	  if ! command -v apt-get >/dev/null; then echo "please install: $$missing" >&2; exit 3; fi; \
	  echo "installing Debian packages:" $$missing; \
	  $(SUDO) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi

$(STAMP): pyproject.toml agent/proto/generate.py $(PROTOS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11" >&2; exit 3; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing Python packages into $(VENV) (a minute, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

install: system $(STAMP) ## install what is needed; then .venv/bin/mma is there

demo: install ## the main job: a WASM task from a genuine Mesos master on an emulated board
	@if [ -t 0 ] && [ -t 1 ]; then $(BIN)/mma console --demo; else $(BIN)/mma demo; fi

lint: install ## format, lint, types, and the arrows between the folders
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet . && $(BIN)/mypy && $(BIN)/lint-imports --no-logo

unit: install ## the quick tests
	@$(BIN)/pytest -q -n 2 -m 'not end_to_end'

test: lint unit ## everything: also the real master and the emulated boards
	@$(BIN)/pytest -q -m end_to_end

campaigns: install ## the long runs: the gateway killed and soaked, its HTTP port and the link fuzzed, a board's power cut, clocks gone round, modules mutated
	@$(BIN)/python tests/campaigns/gateway.py --kills 500
	@$(BIN)/python tests/campaigns/gateway.py --kills 60 --troubles
	@$(BIN)/python tests/campaigns/soak.py --minutes 30
	@for board in stm32f4 hifive1 microbit; do $(BIN)/python tests/campaigns/days.py --days 60 --minutes 15 --board $$board || exit; done
	@$(BIN)/python tests/campaigns/http_port.py --requests 1000000
	@$(BIN)/python tests/campaigns/http_port.py --requests 100000 --tls
	@$(BIN)/python tests/campaigns/wire.py --frames 1000000 --answers 200000
	@for board in stm32f4 hifive1 microbit; do $(BIN)/python tests/campaigns/power.py --cuts 400 --board $$board || exit; done
	@$(BIN)/python tests/campaigns/modules.py --mutants 10000
	@for board in microbit hifive1; do $(BIN)/python tests/campaigns/modules.py --mutants 2000 --board $$board || exit; done
	@MMA_WHOLE=1 $(BIN)/pytest -q tests/hostile

benchmarks: install ## measure everything, and draw docs/benchmarks.md anew
	@$(BIN)/mma bench --record docs

snapshots: install ## draw the screens' snapshots anew after a wanted change
	@$(BIN)/pytest -q tests/console --snapshot-update

supply: install # the tools for the three below
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[supply]'

lock: supply ## settle the exact versions of what we need, with their hashes
	@$(BIN)/uv pip compile pyproject.toml --extra probes --universal --python-version 3.11 --generate-hashes --no-header --quiet --upgrade -o packaging/lock.txt
	@$(BIN)/python packaging/licences.py --write

sbom: supply ## the list of all parts: build/sbom.json (CycloneDX)
	@mkdir -p build && $(BIN)/cyclonedx-py requirements packaging/lock.txt --pyproject pyproject.toml --mc-type application -o build/sbom.json 2>/dev/null && echo build/sbom.json

audit: supply ## known holes in what we need; says so where the advisories cannot be had
	@$(BIN)/python packaging/audit.py

clean: ## remove what was installed here (not the user's cache)
	rm -rf $(VENV) build dist
