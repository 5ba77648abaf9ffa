# Two commands matter: `make demo` and `make test`. Both work on a machine with Python 3.11 to 3.13, make and git alone.

PYTHON ?= python3
APPROVE ?= auto
# Many tests mostly wait for servers, so three processes are faster even on two cores.
WORKERS ?= 3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := dags plugins include tests benchmarks docs/site
# Pages, docstrings, comments and messages are held to docs/site/vocabulary.yml.
WORDED := README.md CHANGELOG.md CONTRIBUTING.md docs dags plugins include
# Packages whose names of variables are held to it as well; the others follow as they become clean.
NAMED := $(addprefix include/rankloop/,champions cli contracts engine events lake maintenance promotion scoring training)
# Container images often set it. Then every one of a hundred processes compiles Airflow and MLflow again: 8 seconds each.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: installed help demo start stop status clean test check lint docs format bench lock

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo  ## install, start the stack, carry out the whole loop once; again: resume; APPROVE=ask: you answer
	@$(BIN)/rankloop demo --approve $(APPROVE)

start: $(VENV)/.demo  ## run the stack in the foreground; Ctrl-C ends all of it
	@$(BIN)/rankloop stack run

stop: installed  ## end every process of the stack; state is kept
	@$(BIN)/rankloop stack stop

status: installed  ## say what is running, and where
	@$(BIN)/rankloop stack status

clean: installed  ## end the stack and remove its state (.rankloop/) and every cache, but not .venv
	@$(BIN)/rankloop stack clean
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .cache build

test: $(VENV)/.dev  ## every test, the real stack included
	@$(BIN)/pytest -n $(WORKERS) --dist loadscope

check: lint  ## lint, types and the fast tests: the inner loop
	@$(BIN)/pytest -m "not stack" -n $(WORKERS) --dist loadscope

lint: $(VENV)/.dev  ## style, types, which package may import which, words, the site, the CI workflow
	@echo "ruff" && $(BIN)/ruff check $(SOURCES) && $(BIN)/ruff format --check $(SOURCES)
	@echo "mypy" && $(BIN)/mypy
	@echo "import-linter" && $(BIN)/lint-imports
	@echo "words" && $(BIN)/python docs/site/words.py $(WORDED) && $(BIN)/python docs/site/words.py --names $(NAMED)
	@echo "site" && $(BIN)/python docs/site/build.py
	@echo "actionlint" && $(BIN)/actionlint

docs: $(VENV)/.dev  ## build the documentation as a site, in build/site
	@$(BIN)/python docs/site/build.py && echo "Open build/site/index.html"

format: $(VENV)/.dev  ## let ruff fix what it can
	@$(BIN)/ruff check --fix $(SOURCES); $(BIN)/ruff format $(SOURCES)

bench: $(VENV)/.bench  ## every benchmark, ours beside a peer
	@for bench in benchmarks/bench_*.py; do echo "== $$bench" && $(BIN)/python $$bench || exit 1; done

lock: $(VENV)/.dev  ## write requirements.txt again, from requirements.in and pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-emit-index-url \
	  --no-emit-find-links --custom-compile-command "make lock" pyproject.toml -o requirements.txt
	@echo "requirements.txt is written; look at its diff before you commit it"

# Any installed version can end a stack; installing now would change packages under running servers.
installed:
	@[ -x $(BIN)/rankloop ] || $(MAKE) --no-print-directory $(VENV)/.demo

# A stamp is written last, so an install cut short is done again.
$(BIN)/uv: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "Rankloop needs Python 3.11 to 3.13, but '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { echo "Could not make $(VENV). On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.txt uv
	@touch $@

$(VENV)/.demo: $(BIN)/uv requirements.txt pyproject.toml include/rankloop_demo/pyproject.toml
	@echo "Installing Rankloop from the lock"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint requirements.txt --editable '.[demo]' --editable include/rankloop_demo
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	@echo "Installing what the tests and checks need"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint requirements.txt --editable '.[demo,dev,spark]' --editable include/rankloop_demo
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	@echo "Installing what the benchmarks compare with"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint requirements.txt --editable '.[demo,dev,spark,bench]' --editable include/rankloop_demo
	@touch $@
