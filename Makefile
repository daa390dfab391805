# I'm Fine. `make up` starts it, `make test` tests all of it; docs/development.md tells the rest.
PYTHON ?= python3
WITH_NODE = PATH="$(CURDIR)/.venv/bin:$$PATH"  # .venv holds Node where the system has none that is new enough

.PHONY: up check test bench lock api shots clean

up:     ## set up what is missing, start I'm Fine and print its address; ARGS="--port 8000" and the like go to `imfine up`
	@$(PYTHON) scripts/setup.py up
	@.venv/bin/imfine up $(ARGS)

check:  ## the fast half: format, lint, types, import directions, drift, unit tests
	@$(PYTHON) scripts/setup.py check
	@.venv/bin/python scripts/test.py

test:   ## everything, browsers and services included
	@$(PYTHON) scripts/setup.py test
	@.venv/bin/python scripts/test.py --whole

bench:  ## the numbers of docs/performance.md
	@$(PYTHON) scripts/setup.py up
	@.venv/bin/python -m bench

lock:   ## resolve pyproject.toml anew into requirements/*.lock
	@$(PYTHON) scripts/setup.py check
	@.venv/bin/python scripts/lock.py

api:    ## write the OpenAPI document and the page's types anew
	@.venv/bin/python -m imfine.server.openapi > web/openapi.json
	@cd web && $(WITH_NODE) npm run --silent gen

shots:  ## draw the READMEs' pictures anew, from a running app
	@$(PYTHON) scripts/setup.py test
	@cd web/e2e && $(WITH_NODE) npm run --silent shots

clean:  ## remove what set-up, builds and tests made; models and runs lie elsewhere and stay
	@rm -rf .venv web/node_modules web/dist web/e2e/node_modules web/e2e/results *.egg-info
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find imfine tests bench scripts -name __pycache__ -type d -prune -exec rm -rf {} +
