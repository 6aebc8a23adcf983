# Needs only python3 (any 3.8 or later) with pip, make and git: uv is fetched into .tools when no usable one
# is on the PATH, and uv finds or fetches the Python named in .python-version.

.DEFAULT_GOAL := help
.SUFFIXES:

ARGS ?=
# Certificates that the machine trusts, such as those of a proxy, are good enough for uv as they are for pip.
export UV_SYSTEM_CERTS ?= 1
UV := .tools/bin/uv
PYTHON := .venv/bin/python
PYPROJECTS := $(wildcard packages/*/pyproject.toml)
PRODUCT := -e 'packages/cli[serve]' -e packages/storage-local -e packages/storage-postgres \
	-e packages/storage-supabase -e packages/auth-supabase -e packages/llm-openrouter -e packages/characters \
	-e 'packages/llm-local[smollm2]' -e 'packages/memory[semantic]' -e packages/api-openai -e packages/web \
	-e packages/bus-redis
TEST_GROUPS = $(foreach file,$(1),--group $(file):test)
# All but HELD_BACK of noxfile.py, which says why.
NEWEST := $(filter-out packages/storage-supabase/%,$(PYPROJECTS))
LOCK := $(UV) pip compile --quiet --universal --python-version 3.12 --all-extras --generate-hashes --no-annotate \
	--custom-compile-command 'make lock' \
	$(foreach file,$(PYPROJECTS),--no-emit-package idolchat-$(notdir $(patsubst %/,%,$(dir $(file)))))
# An installed Python is taken rather than a download, even where that means the second choice.
VENV = $(UV) venv --quiet --no-python-downloads $(1) 2> /dev/null \
	|| $(UV) venv --quiet --python '>=3.12,<3.14' $(1) \
	|| { echo "idolchat needs Python 3.12 or 3.13, which is not here and could not be downloaded" >&2; exit 1; }

.PHONY: help
help: ## Show what make can do here
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: .venv/.installed ## Install if needed, and serve a page on http://127.0.0.1:8000; ARGS="--port 9000" for options
	@exec .venv/bin/idol serve $(ARGS)

.PHONY: install
install: .venv/.installed ## Install the product into .venv, as locked
	@echo "idolchat is in .venv: make run, or .venv/bin/idol --help"

.PHONY: dev
dev: .venv/.installed ## Add every test and lint tool to .venv, for an editor
	@$(UV) pip install --quiet --python $(PYTHON) --constraints requirements.lock $(call TEST_GROUPS,$(PYPROJECTS)) --group dev

.PHONY: test
test: .tools/nox/.installed ## Run everything CI runs; ARGS="-s lint" for a part
	@.tools/nox/bin/nox $(ARGS)

.PHONY: lock
lock: $(UV) ## Bring the lock files up to date with pyproject.toml; ARGS=--upgrade for newer versions
	@$(LOCK) $(call TEST_GROUPS,$(PYPROJECTS)) --group dev --group audit --group sbom $(ARGS) \
		--output-file requirements.lock $(PYPROJECTS) > /dev/null
	@$(LOCK) $(call TEST_GROUPS,$(NEWEST)) --group parallel $(ARGS) \
		--output-file requirements-newest.lock $(NEWEST) > /dev/null
	@$(LOCK) $(call TEST_GROUPS,$(PYPROJECTS)) --group product --group parallel --resolution lowest-direct --upgrade \
		--output-file requirements-lowest.lock $(PYPROJECTS) > /dev/null

.PHONY: clean
clean: ## Remove what was installed and built; conversations stay
	rm -rf .venv .nox .tools dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/.installed: requirements.lock pyproject.toml .python-version $(PYPROJECTS) | $(UV)
	@echo "Installing idolchat into .venv"
	@test -x $(PYTHON) || $(call VENV,.venv)
	@$(UV) pip install --quiet --compile-bytecode --python $(PYTHON) --constraints requirements.lock $(PRODUCT)
	@touch $@

.tools/nox/.installed: requirements.lock pyproject.toml .python-version | $(UV)
	@test -x .tools/nox/bin/python || $(call VENV,.tools/nox)
	@$(UV) pip install --quiet --python .tools/nox/bin/python --constraints requirements.lock --group nox
	@touch $@

# A uv that is found must understand pyproject.toml, as an old one does not; a version manager's shim stands
# for another uv in each folder, or for none.
$(UV):
	@mkdir -p $(@D)
	@IFS=:; for dir in $$PATH; do \
		case $$dir in */shims) continue ;; esac; \
		if [ -x "$$dir/uv" ] && said=$$("$$dir/uv" cache dir 2>&1 > /dev/null) && [ -z "$$said" ]; then \
			ln -sf "$$dir/uv" $@; exit 0; \
		fi; \
	done; \
	echo "Installing uv into .tools"; \
	sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .tools/uv.txt; \
	PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check \
		--require-hashes --target .tools --upgrade --requirement .tools/uv.txt
