# One command each; every target installs first what is missing. `make test` is what CI runs.

SHELL := /bin/sh
BIN := .venv/bin
STAMP := .venv/.installed
PATHS := connector integrations webhooks sync tests

.PHONY: install demo serve test bench chaos spec plugin format lint types contracts
.DEFAULT_GOAL := install

install: $(STAMP)

# uv first, by its own hashes out of the same lock; then everything else by theirs; then this tree, editable:
# editable_mode=compat writes a plain path into .venv, so that tests and tools see the whole tree from anywhere.
# uv wants a cache it can write to, which not every account's home offers. Where the package index cannot be reached, what
# an earlier install left in that cache serves: the same files by the same hashes.
$(STAMP): requirements.lock pyproject.toml | $(BIN)/uv
	@cache="$${UV_CACHE_DIR:-$${XDG_CACHE_HOME:-$$HOME/.cache}/uv}"; \
	mkdir -p "$$cache" 2>/dev/null && [ -w "$$cache" ] || export UV_NO_CACHE=1; \
	export UV_LINK_MODE="$${UV_LINK_MODE:-copy}"; set -e; \
	awk '/^uv==/ {off = 1; next} /^[^ ]/ {off = 0} !off' requirements.lock > .venv/rest.lock; \
	add="$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r .venv/rest.lock"; \
	$$add || { echo "the package index cannot be used; trying uv's cache" >&2; $$add --offline; }; \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --config-settings editable_mode=compat -e .
	@touch $(STAMP)
	@echo "installed into .venv with $$($(BIN)/python -V)"

$(BIN)/uv: | $(BIN)/pip
	@awk '/^uv==/ {on = 1; print; next} /^[^ ]/ {on = 0} on' requirements.lock > .venv/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock || { \
		found=$$(command -v uv) && echo "the package index cannot be used; taking $$found" >&2 && ln -s "$$found" $(BIN)/uv; }

$(BIN)/pip:
	@if [ -e .venv ]; then \
		echo ".venv is there but holds no working pip: its Python is gone, or an install was cut short. Delete .venv and repeat." >&2; \
		exit 1; \
	fi; \
	python=''; \
	for name in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
		if "$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; \
		then python="$$name"; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Connector needs Python 3.11, 3.12 or 3.13 and found none of python3.13, python3.12, python3.11, python3." >&2; \
		echo "Install one, or name it: make install PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
		version=$$("$$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])'); \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -q && { apt-get install -qy "$$version-venv" || apt-get install -qy python3-venv; } || exit 1; \
		else \
			echo "$$python has no venv module. Install it (on Debian and Ubuntu: apt-get install $$version-venv) and repeat." >&2; \
			exit 1; \
		fi; \
	fi; \
	"$$python" -m venv .venv

# A sale lost and won back on pretend stores: make demo, or make demo ARGS=--once
demo: install
	@$(BIN)/connector demo $(ARGS)

serve: install
	@$(BIN)/connector serve $(ARGS)

test: install chromium schema php
	@$(BIN)/python -m tests.gate $(ARGS)

bench: install wrk
	@$(BIN)/python -m tests.bench $(ARGS)

# Processes, servers, connections and clocks broken on purpose: make chaos, or make chaos ARGS='--tenth RL-105'
chaos: install
	@$(BIN)/python -m tests.chaos $(ARGS)

# Which row of the specification is proven by which test. A failing test only shows in the table here.
spec: install chromium schema php
	@$(BIN)/pytest -q -n 2 --no-header --spec-report; [ $$? -le 1 ]
	@$(BIN)/python -m tests.spec

# The companion plugin for WooCommerce as the file that a merchant uploads: dist/connector-carts.zip
plugin: install
	@$(BIN)/python -m integrations.woocommerce.companion dist

format: install
	@$(BIN)/ruff format $(PATHS)
	@$(BIN)/ruff check --fix $(PATHS)

lint: install
	@$(BIN)/ruff format --check $(PATHS)
	@$(BIN)/ruff check $(PATHS)

types: install
	@$(BIN)/mypy

contracts: install
	@$(BIN)/lint-imports

.PHONY: wrk
wrk:
	@command -v wrk >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -q && apt-get install -qy wrk; \
		else echo "The benchmarks need the load generator wrk: apt-get install wrk" >&2; exit 1; fi; }

# The tests of pages drive the distribution's Chromium; CHROMIUM names another one. Nothing is fetched where it is there.
.PHONY: chromium
chromium:
	@command -v "$${CHROMIUM:-chromium}" >/dev/null || { \
		if [ -z "$$CHROMIUM" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; \
		then apt-get update -q && apt-get install -qy chromium fonts-liberation; \
		else echo "The tests of pages need Chromium: apt-get install chromium fonts-liberation, or CHROMIUM=/path/to/it" >&2; exit 1; fi; }

# The companion plugin's own tests are PHP; Debian's PHPUnit brings the PHP that it needs.
.PHONY: php
php:
	@{ command -v php && command -v phpunit; } >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -q && apt-get install -qy php-cli phpunit; \
		else echo "The plugin's tests need PHP and PHPUnit 9: apt-get install php-cli phpunit" >&2; exit 1; fi; }

# What Shopify publishes of its API comes in an npm package; the tests compare with it.
.PHONY: schema
schema: install
	@ls .venv/shopify/*.json.gz >/dev/null 2>&1 || command -v npm >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -q && apt-get install -qy npm; \
		else echo "The tests compare with Shopify's schema, which comes in an npm package: apt-get install npm" >&2; exit 1; fi; }
	@$(BIN)/python -m tests.shopify_schema
