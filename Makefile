# One door for developers. Every target does its own set-up, and does none of it twice.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

BIN := .venv/bin
DISTRO := debian-13
BENCHMARKS := layering plan command unit profile install fleet publish

.PHONY: help
help: ## list these targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

.PHONY: demo
demo: setup ## build a small part of the fleet into lamina-store/ and show it
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/demo

.PHONY: test
test: check setup ## check, then every test, those with real packages and containers included
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: check
check: environment ## format, lint, types and rules of import
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: bench
bench: setup ## run every benchmark
	@for name in $(BENCHMARKS); do \
		echo "== $$name"; \
		$(BIN)/python -m "benchmarks.$$name"; \
	done

.PHONY: differential
differential: setup ## compare every image of the catalogue with plain apt, and run an OSD in a cluster; DISTRO=debian-12 for that
	LAMINA_DIFFERENTIAL=all LAMINA_TEST_DISTRO=$(DISTRO) $(BIN)/pytest tests/differential tests/whole/test_osd.py

.PHONY: distributions
distributions: setup ## build and test the whole fleet for the further distributions
	LAMINA_DISTRIBUTIONS=all $(BIN)/pytest tests/whole/test_distributions.py

.PHONY: secrets
secrets: setup ## build every image of the catalogue, and look for secrets in all of them
	LAMINA_SECRETS=all $(BIN)/pytest tests/whole/test_secrets.py

.PHONY: artifacts
artifacts: setup ## build every image that is fed by release archives from stand-ins for these, and test it
	LAMINA_ARTIFACTS=all $(BIN)/pytest tests/whole/test_artifact_images.py

.PHONY: consumers
consumers: environment ## move real checkouts, and give them back; KOLLA_ANSIBLE=DIR TRIPLEO=DIR
	LAMINA_KOLLA_ANSIBLE=$(KOLLA_ANSIBLE) LAMINA_TRIPLEO=$(TRIPLEO) $(BIN)/pytest tests/migrate

.PHONY: pipelines
pipelines: setup ## run the jobs of generated pipelines on this machine, over the small fleet; let Zuul itself read its own
	LAMINA_PIPELINES=all $(BIN)/pytest tests/ci

.PHONY: format
format: environment ## format the code, mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: storage-table
storage-table: setup ## write the tables of docs/storage.md, as the images in the store have it
	$(BIN)/python -m benchmarks.lab.storage_table

.PHONY: fleet-table
fleet-table: setup ## build and test all infra images anew, and write the tables of docs/fleet.md
	$(BIN)/python -m benchmarks.lab.fleet_table

.PHONY: family-pages
family-pages: environment ## write the pages of docs/families/ from the catalogue
	$(BIN)/lamina docs --to docs/families

.PHONY: lock-requirements
lock-requirements: environment ## pin the newest Python packages in requirements*.txt
	scripts/lock-requirements

.PHONY: setup
setup: environment ## install everything the other targets need
	@scripts/system-packages all

.PHONY: environment
environment: .venv/.installed

.PHONY: python-packages
python-packages:
	@scripts/system-packages python

.venv/.pinned: requirements-dev.txt scripts/python-environment | python-packages
	@scripts/python-environment
	@touch $@

.venv/.installed: .venv/.pinned pyproject.toml
	@echo "Python environment: lamina itself, editable"
	@$(BIN)/pip install --quiet --quiet --no-index --no-deps --no-build-isolation --editable .
	@touch $@
