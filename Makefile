# Every habit of the project, one word each. `make` alone lists them.
#   PYTHON=/path/to/python3   the interpreter that makes .venv (3.11 or newer)

BOOTSTRAP := sh scripts/bootstrap.sh
VENV_PYTHON := .venv/bin/python

# What the tests need beyond the two commands of the README is left to .ci/run: it sets TEST_MARKERS.
TEST_MARKERS ?= not (agent or browser or nginx or prometheus or rabbitmq)
TEST_WORKERS ?= auto

.DEFAULT_GOAL := help
.PHONY: help demo test check bench docs format lock

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

demo: ## run the gateway with a small real model and local stand-ins (DEMO_PORT=8000, DEMO_ARGS=--simulated)
	@$(BOOTSTRAP) demo $(if $(findstring --simulated,$(DEMO_ARGS)),,model)
	@exec $(VENV_PYTHON) -m demo $(DEMO_ARGS)

test: ## run the tests, with a PostgreSQL and a Redis of their own (TEST_ARGS="tests/unit -x")
	@$(BOOTSTRAP) dev
	@exec $(VENV_PYTHON) -m pytest -n $(TEST_WORKERS) --maxprocesses=8 -m "$(TEST_MARKERS)" $(TEST_ARGS)

check: ## everything but the tests: format, lint, types, architecture, settings, migrations, docs
	@$(BOOTSTRAP) dev
	@exec $(VENV_PYTHON) scripts/check.py

bench: ## measure the gateway beside its peers on this machine, as ratios (BENCH_ARGS=...)
	@$(BOOTSTRAP) bench
	@exec $(VENV_PYTHON) -m benchmarks $(BENCH_ARGS)

docs: ## write the documents that are generated from the code
	@$(BOOTSTRAP) dev
	@exec $(VENV_PYTHON) scripts/docs.py

format: ## format the code and mend what the linter can mend
	@$(BOOTSTRAP) dev
	@$(VENV_PYTHON) -m ruff format .
	@exec $(VENV_PYTHON) -m ruff check --fix .

lock: ## resolve requirements/*.txt anew from pyproject.toml
	@$(BOOTSTRAP) dev
	@exec $(VENV_PYTHON) scripts/lock.py
