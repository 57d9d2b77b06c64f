# The one door: hand, hook and CI run these targets. `make help` lists them.

ROOT := $(dir $(lastword $(MAKEFILE_LIST)))
ifneq ($(ROOT),./)
# Called from another directory: go to our own first.
.DEFAULT_GOAL := help
.PHONY: $(MAKECMDGOALS) help
$(or $(MAKECMDGOALS),help):
	@$(MAKE) --no-print-directory -C "$(ROOT)" -f Makefile $@
else

SHELL := /bin/sh
# What was compiled is kept, whatever the machine is set to: otherwise each process compiles all of it anew, for
# three seconds of a core.
unexport PYTHONDONTWRITEBYTECODE
PORT ?= 8000
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$p; break; }; done)
PY := .venv/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check
# Development values for commands that read the settings without a running stack.
DEV := env DEBUG=true DATABASE_URL=sqlite:///.data/check.sqlite3
NODE := tools/node_modules/.bin
COMPOSE := docker/compose.yaml docker/compose.tls.yaml
# A kustomization is no object of a cluster: tests/deploy builds what it says.
MANIFESTS := $(filter-out %kustomization.yaml,$(wildcard deploy/kubernetes/base/*.yaml)) \
	deploy/kubernetes/overlays/production/namespace.yaml
# What Hypothesis plays by rules, beside a model.
MODELS := tests/accounts/test_limiter_model.py tests/explanations/test_life_cycle_model.py \
	tests/realtime/test_outbox_model.py tests/realtime/test_hub_model.py tests/realtime/test_recent_model.py
# What runs in production, or on machines of customers.
PRODUCT := accounts events explanations gateway_project observability pipeline predictions realtime clients/python/src manage.py
YAML_RULES := {extends: default, rules: {line-length: {max: 200}, document-start: disable, braces: disable}}

.DEFAULT_GOAL := help
.PHONY: help run check check-code check-files test coverage faults fuzz bench bench-http bench-sockets load soak pins format client-types docker clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' Makefile

run: .venv/.embedded ## the whole gateway with a replay of real data; PORT=8001 moves it
	@$(PY) manage.py up --port $(PORT)

check: check-code check-files ## lint, types, direction of imports, secrets, migrations, the contract of HTTP, container and cluster files

check-code: .venv/.dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	$(DEV) .venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/bandit --quiet --configfile pyproject.toml --recursive -ll $(PRODUCT)
	$(DEV) $(PY) manage.py makemigrations --check --dry-run

check-files: .venv/.dev tools/node_modules
	@# On a copy: the judge writes moved lines into the file (3); something new that looks like a secret is 1.
	mkdir -p .data && cp .secrets.baseline .data/secrets.baseline
	.venv/bin/detect-secrets-hook --no-verify --baseline .data/secrets.baseline $$(git ls-files) || test $$? -eq 3
	.venv/bin/hadolint docker/Dockerfile
	.venv/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec $(COMPOSE)
	.venv/bin/kubernetes-validate --strict --quiet $(MANIFESTS)
	.venv/bin/yamllint --strict --config-data '$(YAML_RULES)' $(COMPOSE) deploy/kubernetes
	$(DEV) $(PY) manage.py openapi | diff -q - docs/openapi.json || { echo "run: manage.py openapi --write"; exit 1; }
	.venv/bin/openapi-spec-validator docs/openapi.json
	$(NODE)/spectral lint docs/openapi.json --fail-severity=warn
	REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(NODE)/redocly lint docs/openapi.json

test: .venv/.dev tools/node_modules ## the test suite on real Postgres, Valkey and NATS
	$(PY) -m pytest -n 3 --dist worksteal $(ARGS)

coverage: .venv/.dev ## the same, half as fast, with coverage of all processes that tests start
	COVERAGE_PATCH=subprocess $(MAKE) --no-print-directory test \
		ARGS="--cov --cov-report=term:skip-covered --cov-fail-under=90 $(ARGS)"

faults: .venv/.dev ## what stays true while things break: 10,000 orders of explanations, then the matrix of docs/FAULTS.md
	ORDERS=10000 $(PY) -m pytest -n 0 -s tests/faults
	$(PY) -m tests.faults.matrix --write

format: .venv/.dev ## put imports and layout in order
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

pins: .venv/.dev ## compile requirements/*.txt from *.in, after a change or for newer versions
	for f in base embedded dev; do .venv/bin/uv pip compile --quiet --universal --upgrade \
		--python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header \
		requirements/$$f.in -o requirements/$$f.txt || exit 1; done

client-types: tools/node_modules ## renew the types and dist/ of the JavaScript client, after a change of a contract or of its source
	node clients/javascript/scripts/types.mjs
	rm -rf clients/javascript/dist
	$(NODE)/tsc --project clients/javascript

fuzz: .venv/.dev ## what docs/openapi.json allows and forbids, models, a million mutated frames and messages; about an hour
	$(PY) -m pytest -n 0 -s -rpfE --durations=0 --durations-min=1 \
		tests/contract/test_fuzzing.py $(MODELS) tests/fuzzing $(ARGS)
fuzz: export FUZZ_S ?= 600
fuzz: export EXAMPLES ?= 20
fuzz: export FRAMES ?= 1000000
fuzz: export PAYLOADS ?= 1000000

bench: .venv/.embedded ## how long from publish to socket and from order to answer, on the gateway that `make run` runs
	@$(PY) -m benchmarks.publish_to_socket
	@$(PY) -m benchmarks.order_to_answer

bench-http: .venv/.embedded ## the gateway beside FastAPI, Fastify and a constant answer, over HTTP; needs wrk; about an hour
	@$(PY) -m benchmarks.http $(ARGS)

bench-sockets: .venv/.embedded ## the gateway beside FastAPI, Node ws and picows, on sockets; about 70 minutes
	@$(PY) -m benchmarks.sockets $(ARGS)

load: .venv/.dev ## 100 and 1,000 users by Locust, 10,000 sockets beside them, more data: what holds; 20 minutes
	@$(PY) -m loadtests $(ARGS)

soak: .venv/.dev ## half an hour of moderate load (SOAK_S seconds), and an error if anything grows that should not
	@$(PY) -m loadtests.soak $(ARGS)

docker: ## build the images; docker/README.md says how to run them
	docker compose --file docker/compose.yaml build

clean: ## remove the virtual environment, caches and the data of `make run`
	rm -rf .venv .data tools/node_modules .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis htmlcov
	rm -f .coverage .coverage.*

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or newer is needed; name it: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "make: $(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }

# Judges that come from npm, and what generated clients are made with; pinned in tools/package-lock.json.
tools/node_modules: tools/package.json tools/package-lock.json
	@command -v npm >/dev/null || { echo "make: Node.js 20 or newer with npm is needed for Spectral and the" \
		"generated clients; on Debian and Ubuntu: apt install nodejs npm"; exit 1; }
	@echo "gateway: installing the judges of the contract into tools/node_modules (once) ..."
	@cd tools && npm ci --ignore-scripts --silent
	@touch $@

.venv/.embedded: .venv/bin/python requirements/base.txt requirements/embedded.txt
	@echo "gateway: installing into .venv (once; about half a minute) ..."
	@$(PIP) -r requirements/embedded.txt
	@touch $@

.venv/.dev: .venv/bin/python requirements/base.txt requirements/embedded.txt requirements/dev.txt
	@echo "gateway: installing the development tools into .venv (once) ..."
	@$(PIP) --no-compile -r requirements/dev.txt
	@touch $@ .venv/.embedded

endif
