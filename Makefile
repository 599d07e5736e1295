# make verify: decide the claims of the paper        make test: run the tests        make train: train the paper's N0
# Each sets up .venv when it is missing and runs; nothing else is needed but Python >= 3.11, git and make.

PYTHON ?= python3
BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: verify kernel mutants record test test-slow sanitize peers train lint package bench bench-rivals bench-tau gpu notebooks lab docs clean

verify: .venv/core.stamp
	$(BIN)/softmax-trick verify

# The same, with the theorems of proofs/coq checked by Coq.
kernel: .venv/core.stamp
	@command -v coqc >/dev/null || { echo "make kernel needs coqc: install Coq 8.16 or newer (Debian and Ubuntu: apt-get install coq; macOS: brew install coq)"; exit 1; }
	$(BIN)/softmax-trick verify --kernel

mutants: .venv/core.stamp
	$(BIN)/softmax-trick mutants

# What follows from the ledger: recorded verdicts, docs/errata.md, its supplement, docs/works.md, docs/ledger.svg, README.md's counts.
record: .venv/all.stamp
	$(BIN)/python -m softmax_trick.report.renewal

test: .venv/all.stamp
	$(BIN)/pytest -n 2 --dist loadfile

# What takes a compiler, Coq, whole notebooks, or processes of its own.
test-slow: .venv/all.stamp
	$(BIN)/pytest -n 2 --dist loadfile -m slow

# Other people's code, checked in an environment of its own; takes minutes. Writes docs/peers.md and docs/peers-proved.md.
peers: .venv/bin/python
	test -x build/peers/bin/python || $(PYTHON) -m venv build/peers
	build/peers/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--requirement peers/requirements.txt --editable '.[testing]'
	build/peers/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement peers/proved.txt
	build/peers/bin/python peers/check.py
	build/peers/bin/python peers/prove.py
	SOFTMAX_TRICK_PEERS=1 build/peers/bin/python -m pytest tests/test_language_emission.py -k jax

# The tests of the native operator with GCC's sanitizers for addresses and undefined behaviour; takes minutes.
sanitize: .venv/all.stamp
	SOFTMAX_TRICK_SANITIZE=address,undefined ASAN_OPTIONS=detect_leaks=0 \
	LD_PRELOAD="$$($(CXX) -print-file-name=libasan.so) $$($(CXX) -print-file-name=libubsan.so) \
	$$($(CXX) -print-file-name=libstdc++.so)" $(BIN)/python -m pytest -p no:xdist -m slow tests/test_isbe_native.py

train: .venv/all.stamp
	$(BIN)/python -m softmax_trick.train --out runs/n0-softmax --resume

lint: .venv/all.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	# mypy sees the layout that users install: the proofs inside the package.
	rm -rf build/typed && mkdir -p build/typed && cp -r softmax_trick build/typed/ && cp -r proofs build/typed/softmax_trick/
	MYPYPATH=build/typed $(BIN)/mypy build/typed/softmax_trick benchmarks
	MYPYPATH=build/typed $(BIN)/mypy --allow-untyped-defs --allow-untyped-calls --no-warn-unused-ignores tests

# The source distribution, and the wheel made from it, as a package index takes them.
package: .venv/all.stamp
	rm -rf dist build/lib build/bdist* *.egg-info
	$(BIN)/validate-pyproject pyproject.toml
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl

bench: .venv/all.stamp
	for benchmark in benchmarks/[a-z]*.py; do $(BIN)/python $$benchmark || exit 1; done

# tensorgrad, with the torch that it needs, in an environment of its own, for a column of benchmarks/formulas.py.
bench-rivals:
	test -x build/rivals/bin/python || $(PYTHON) -m venv build/rivals
	build/rivals/bin/python -m pip install --quiet --disable-pip-version-check tensorgrad==0.3.0
	@echo "make bench now measures tensorgrad, too"

# All that waits for a GPU: the kernel's times and checks, an epoch of N1, the paper's tables; resumable. See benchmarks/gpu.py.
gpu: .venv/all.stamp
	$(BIN)/python benchmarks/gpu.py

bench-tau: .venv/all.stamp
	$(BIN)/python benchmarks/tau.py

notebooks: .venv/all.stamp
	$(BIN)/python notebooks/execute.py

lab: .venv/all.stamp
	OMP_WAIT_POLICY=passive $(BIN)/jupyter lab notebooks

# The documentation site in build/site, built without the network: every page, link and place in a page is checked.
# The variable silences an announcement of the theme's authors about MkDocs 2, which constraints.txt keeps out.
docs: .venv/all.stamp
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	$(BIN)/python website/check.py build/site
	@echo "open build/site/index.html; to search in it, too: $(BIN)/python -m http.server --directory build/site"

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("softmax-trick needs Python 3.11 or newer; name one with make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv

# With torch, so that all evidence is gathered.
.venv/core.stamp: pyproject.toml constraints.txt setup.py | .venv/bin/python
	$(PIP_INSTALL) --editable '.[torch]'
	@touch $@

.venv/all.stamp: pyproject.toml constraints.txt setup.py | .venv/bin/python
	$(PIP_INSTALL) --editable '.[all]'
	@touch .venv/core.stamp $@
