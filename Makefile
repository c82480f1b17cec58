# Countinghouse. `make` lists what can be done; everything runs inside .venv, made on first use.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON := .venv/bin/python
WORKERS ?= 2
FLOOR ?= 95
SHARED ?= ../shared
ARGS ?=
PYTEST := $(PYTHON) -m pytest

.PHONY: help run test check bench chaos contract test-stripe screenshots translations lock venv venv-dev tools

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)$$/  make \1\t\2/' | expand -t 24

run: venv ## start the shop on this machine: web, worker and Stripe simulator
	@exec $(PYTHON) -m flask --app wsgi demo

test: venv-dev tools ## run every test and measure coverage (ARGS="-k checkout" narrows it, FLOOR=0 lifts the floor)
	$(PYTEST) -n $(WORKERS) --dist loadgroup --cov --cov-report= --coverage-floor=$(FLOOR) $(ARGS)

check: venv-dev ## lint, format, types, architecture, models against migrations
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTEST) -q tests/test_architecture.py
	.ci/drift

bench: venv-dev tools ## run the benchmarks behind the README's figures, full size
	SIZE=full $(PYTHON) -m bench $(ARGS)

chaos: venv-dev tools ## run the kill and fault tests, full size
	SIZE=full $(PYTEST) -m chaos $(ARGS)

contract: venv-dev tools ## run the tests that read SHARED (default ../shared)
	$(PYTEST) tests/contract --shared "$(SHARED)" $(ARGS)

test-stripe: venv-dev tools ## buy something on a real Stripe test account (needs STRIPE_SECRET_KEY=sk_test_…)
	@case "$${STRIPE_SECRET_KEY:-}" in \
	  sk_test_*|rk_test_*) ;; \
	  "") echo "make test-stripe needs the secret key of a Stripe test account:"; \
	      echo "  STRIPE_SECRET_KEY=sk_test_… make test-stripe"; echo "Nothing was run."; exit 1 ;; \
	  *)  echo "STRIPE_SECRET_KEY is not a test key (sk_test_… or rk_test_…). Nothing was run."; exit 1 ;; \
	esac
	$(PYTEST) tests/stripe_account --stripe-account $(ARGS)

screenshots: venv-dev tools ## take the README's pictures from a running shop
	$(PYTHON) -m tests.infra.screenshots

translations: venv-dev ## gather the texts, bring the catalogues up to date, compile them
	@mkdir -p out
	.venv/bin/pybabel -q extract $(EXTRACT) -o out/messages.pot .
	.venv/bin/pybabel -q update -i out/messages.pot -d app/translations $(UPDATE)
	.venv/bin/pybabel compile -d app/translations --statistics
EXTRACT := -F app/translations/babel.cfg -k _l --add-location=file --project=Countinghouse --copyright-holder=Countinghouse
UPDATE := -w 110 --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date

lock: venv-dev ## write both lock files again from pyproject.toml (ARGS=--upgrade raises versions)
	.venv/bin/uv pip compile -q pyproject.toml -o requirements.lock $(LOCKED) $(ARGS)
	.venv/bin/uv pip compile -q pyproject.toml --extra dev -o requirements-dev.lock $(LOCKED) $(ARGS)
LOCKED := --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --python-version 3.11

venv: .venv/.run
venv-dev: .venv/.dev

.venv/.run: requirements.lock
	@.ci/venv requirements.lock
	@touch $@

.venv/.dev: requirements-dev.lock
	@.ci/venv requirements-dev.lock
	@touch .venv/.run $@

tools:
	@.ci/tools
