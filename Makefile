# Two commands do all the set-up on a fresh machine with Python and git: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# dozens of processes are started, which need not compile all of it again
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test coverage quick campaign catalogue check types bench packages published scoreboard clean

demo: $(READY)  ## verify real third-party streaming modules against their clip mode
	$(BIN)/python -P examples/demo.py

test: $(READY)  ## every test; branch coverage of reference/ and continual/ must stay above 95 %
	OMP_NUM_THREADS=1 $(BIN)/python -P -m pytest -n 2 --dist worksteal -q --cov=coequal.reference --cov=coequal.continual --cov-report=term:skip-covered --cov-fail-under=95

coverage: $(READY)  ## lines and branches of the whole package, which must stay above 90 %: slow tests once, with their first parameters
	OMP_NUM_THREADS=1 $(BIN)/python -P -m pytest -n 2 --dist worksteal -q --once --cov --cov-report=term:skip-covered --cov-fail-under=90

quick: $(READY)  ## the tests that take no time: 111 seconds of processor time, a minute on two cores
	OMP_NUM_THREADS=1 $(BIN)/python -P -m pytest -n 2 --dist worksteal -q -m "not slow"

campaign: $(READY)  ## generated bugs: 300 random streams with a random mistake, none of which may be proved
	OMP_NUM_THREADS=1 $(BIN)/python -P -c "import sys; sys.path.append('.'); from tests.generated.campaign import main; sys.exit(main())"

catalogue: $(READY)  ## every network of the catalogue in small, proved; the tests prove one for each mechanism: four minutes
	OMP_NUM_THREADS=1 $(BIN)/python -P -c "import sys; sys.path.append('.'); from tests.systems.campaign import main; sys.exit(main() > 0)"

published: $(READY)  ## networks at their published size, an hour of processor time more of them: docs/published_size.md
	OMP_NUM_THREADS=1 $(BIN)/python -P benchmarks/published_size.py

check: $(READY) types  ## lint, types, layering
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -P -m pytest -q tests/layout/test_imports.py

types: $(READY)
	$(BIN)/mypy
	$(BIN)/basedpyright --level error

bench: $(READY)  ## speed of a step against continual-inference and against the clip-mode layer
	$(BIN)/python -P benchmarks/step_time.py

packages: $(READY)  ## the table of models of public packages that are installed, docs/packages.md
	OMP_NUM_THREADS=1 $(BIN)/python -P -W ignore benchmarks/packages.py --journal packages.jsonl

scoreboard: $(READY)  ## verdicts, horizons and operations of packages and runtimes, docs/scoreboard.md: what is not counted yet is counted
	OMP_NUM_THREADS=1 $(BIN)/python -P -W ignore benchmarks/scoreboard.py

clean:
	rm -rf $(VENV) build dist *.egg-info

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch==2.13.0 setuptools
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[continual-inference,onnx,test,dev]'
	touch $@
