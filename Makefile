# Two commands do everything in a fresh clone on Debian 12 with git, make and a Rust toolchain:
# `make demo` and `make test`. Both set up what is missing first; see deploy/setup.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
CARGO ?= cargo

.PHONY: help setup demo test simulate planted processes drain contract fixtures openapi bench
.PHONY: accuracy fmt lint deny clean distclean

help: ## show this help
	@echo "Điểm Danh: takes the roll at a meeting-room door, by face."
	@echo
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) \
		| sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

setup: ## fetch and prepare whatever is missing; quick when nothing is
	@deploy/setup

demo: setup ## recognise real people from photographs and read the roll from a hub
	@echo "building with optimisation; the first time this takes some ten minutes on two cores"
	$(CARGO) build --quiet --locked --release -p kiosk
	$(CARGO) run --quiet --locked --release -p daemon --features hub -- demo

test: setup ## run all the tests
	DIEMDANH_SET_UP=1 $(CARGO) test --locked --workspace --features kiosk/evaluate --no-fail-fast

SEED ?= 1
SEEDS ?= 200
SECONDS ?= 60

simulate: ## door, wire and city in virtual time under faults (SEED=first SEEDS=count)
	$(CARGO) run --quiet --locked -p simulation -- --first $(SEED) --seeds $(SEEDS)
	$(CARGO) run --quiet --locked -p simulation -- --first $(SEED) --seeds 10 --twice

planted: ## plant each known defect and tell within how many seeds the simulation finds it
	$(CARGO) run --quiet --locked -p simulation --features planted -- --planted --seeds 1000

processes: setup ## the real programs under kill -9 and a broken network (SEED= SECONDS=)
	$(CARGO) build --quiet --locked -p kiosk -p daemon -p processes
	$${CARGO_TARGET_DIR:-target}/debug/processes run --seed $(SEED) --seconds $(SECONDS) \
		--programs $${CARGO_TARGET_DIR:-target}/debug

RECORDS ?= 200000

drain: setup ## a door that was offline for weeks sends what waits; the daemon's memory (RECORDS=)
	$(CARGO) build --quiet --locked -p kiosk -p daemon -p processes
	$${CARGO_TARGET_DIR:-target}/debug/processes drain --records $(RECORDS) \
		--programs $${CARGO_TARGET_DIR:-target}/debug

contract: setup ## a running hub against its own document, and the page for integrators followed
	@deploy/setup contract
	$(CARGO) build --quiet --locked -p daemon -p kiosk
	tests/contract/run
	python3 tests/contract/sandbox.py
	$${DIEMDANH_SETUP:-.setup}/venv-contract/bin/python tests/contract/page.py

DAY ?= $(shell date -u +%F)

fixtures: ## record what clients of today send and need, for all later hubs (DAY=)
	mkdir -p tests/contract/clients
	DIEMDANH_RECORD=$(DAY) $(CARGO) test --quiet --locked -p hub --test it -- --ignored \
		clients_of_today_are_recorded

openapi: ## write the OpenAPI document of the sync API anew
	$(CARGO) run --quiet --locked -p wire --example openapi >docs/openapi.json.part
	mv docs/openapi.json.part docs/openapi.json

bench: setup ## measure against OpenCV, faiss, bare SQLite and nginx (installs the peers first)
	@deploy/setup peers
	tests/bench/run

accuracy: setup ## measure how right the recognition is (DATASET=DIR, a folder per person)
	@test -n "$(DATASET)" || { echo "make accuracy DATASET=DIR: which photographs?" >&2; exit 2; }
	$(CARGO) run --quiet --locked --release -p kiosk --features evaluate -- evaluate \
		--conditions --dataset "$(DATASET)" --report target/accuracy
	@cat target/accuracy/report.md

fmt: ## format all the code
	$(CARGO) fmt --all

lint: setup ## check formatting and clippy, warnings being errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets --features kiosk/evaluate -- -D warnings

deny: ## check licences, bans and sources of all dependencies
	@deploy/setup deny
	.setup/bin/cargo-deny --locked check licenses bans sources

clean: ## remove what was built; what was fetched stays
	$(CARGO) clean

distclean: clean ## remove all that is not in git's keeping, fetched files included
	rm -rf .setup models/files
