# Everything starts here: `make help` lists it. Needs make and Python >= 3.11, nothing else.
# Another Python: `make test PYTHON=python3.13`. Another port: `PORT=8001 make run`.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; \
	done)
PORT ?= 8000
PY = .venv/bin/python
PYTEST = $(PY) -m pytest
ARGS ?=
PAGES ?= / /book/ /accounts/login/ /dev/mailbox/

.DEFAULT_GOAL := help
.PHONY: help run test check fix bench faults screens lock site development

help:  ## what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST)

run: site  ## the whole practice on this machine, with demo data; Ctrl-C stops it
	@DUET_MODE=$${DUET_MODE:-demo} exec $(PY) manage.py up --port $(PORT) --die-with-parent

test: development  ## the whole suite, on servers of its own; ARGS="-k word" narrows it
	@$(PY) -m tests.chromium
	@$(PYTEST) -n 2 --dist loadgroup $(ARGS)

faults: development  ## the long form of the fault tests
	@FAULTS=long $(PYTEST) -m "faults or races" $(ARGS)

bench: development  ## measure against docs/performance.md; ARGS="slots" for one of them
	@$(PY) -m benchmarks $(ARGS)

screens: development  ## pictures of a running site's PAGES, phone and desktop, light and dark
	@$(PY) -m tests.chromium
	@$(PY) -m tests.screens --base http://localhost:$(PORT) $(PAGES) $(ARGS)

check: development  ## lint, types, import contracts, migrations, deployment check
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy .
	.venv/bin/lint-imports --config pyproject.toml
	.venv/bin/djlint --lint --quiet templates
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) -m config.production_check

fix: development  ## mend what lint and format can mend
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

lock:  ## compile the requirements' lock files (needs uv)
	uv pip compile -q --universal --generate-hashes --no-header --no-emit-index-url \
		--python-version 3.11 requirements.in -o requirements.txt
	uv pip compile -q --universal --generate-hashes --no-header --no-emit-index-url \
		--python-version 3.11 requirements-dev.in -o requirements-dev.txt
	uv pip compile -q --universal --generate-hashes --no-header --no-emit-index-url \
		--python-version 3.11 benchmarks/requirements.in -o benchmarks/requirements.txt

site development:
	@test -n "$(PYTHON)" || { echo "Duet needs Python 3.11 or later: there is none on PATH."; exit 1; }
	@$(PYTHON) -I config/install.py $(if $(filter development,$@),--dev)
