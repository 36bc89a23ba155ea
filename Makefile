.DEFAULT_GOAL := help
bin := .venv/bin

.venv/.ready: pyproject.toml constraints.txt scripts/setup scripts/uv_install.py
	@scripts/setup

.PHONY: help setup page demo up test chaos lint docs format picture clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: .venv/.ready page ## make .venv with everything, and the page

page: .venv/.ready ## build the page where it can be, if its sources changed
	@scripts/build_page

demo: .venv/.ready page ## run the whole loop once on a rendered video; OPEN=1 leaves its service up, to be looked at
	@$(bin)/posetween demo $(if $(OPEN),--open)

up: .venv/.ready page ## serve the API and the page with a worker; print the address that signs in, and the key
	@$(bin)/posetween up

test: .venv/.ready page ## run the tests
	@$(bin)/python -m pytest

chaos: .venv/.ready ## harm the real service at random moments and audit it (twenty rounds)
	@$(bin)/python -m benchmarks.chaos $(CHAOS)

lint: .venv/.ready page ## check style, types and import contracts, the page's too where it can be built
	@$(bin)/ruff check
	@$(bin)/ruff format --check
	@$(bin)/mypy
	@$(bin)/lint-imports
	@scripts/check_page
	@$(MAKE) --no-print-directory docs

docs: .venv/.ready ## make a site of docs/ in site/; a link that leads nowhere is an error
	@NO_MKDOCS_2_WARNING=1 $(bin)/mkdocs build --quiet

format: .venv/.ready ## put the code into shape
	@$(bin)/ruff check --fix
	@$(bin)/ruff format

picture: .venv/.ready ## draw the pictures of the README and the documentation again, and the tour's sample
	@$(bin)/python -m benchmarks.readme_picture
	@$(bin)/python -m benchmarks.page_pictures
	@$(bin)/python -m benchmarks.tour_sample

clean: ## remove what was made here
	rm -rf .venv web/node_modules app/page/built demo-out site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
