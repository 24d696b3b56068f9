# make setup | demo | test | chromium | lint | docs | sbom | audit | clean. Each does its own set-up when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
# without it each of some twenty processes compiles every module again: minutes of the demo
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test chromium lint docs sbom audit clean

# scripts in an environment name its folder: one that was moved or copied, or whose Python is gone, is built anew
ifneq ($(shell test -x $(BIN)/python && cat $(VENV)/installed),$(CURDIR))
.PHONY: $(VENV)/installed
endif

setup: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Assay needs Python 3.11 or newer; pass PYTHON=python3.11")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[pipeline,train,test,lint,docs]'
	@echo '$(CURDIR)' > $@

demo: setup
	$(BIN)/assay run

# Triton, whose interpreter runs the kernels of a GPU without one, is 1 GB and for tests alone; never an error
test: setup
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt triton \
	    || echo 'test: Triton could not be installed; the tests of kernels of a GPU will be skipped'
	$(BIN)/python -m pytest -n 2 --dist loadfile -m 'not install'

# for the tests of the pages, which are skipped without it: Debian's browser and what drives it, 160 MB and more;
# never an error, so that `make chromium test` runs wherever `make test` does
chromium: setup
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt playwright \
	    || echo 'chromium: playwright could not be installed; the tests of the pages will be skipped'
	@mkdir -p build
	@command -v chromium > /dev/null || { apt-get update -qq && \
	    timeout 600 apt-get install -qq -y --no-install-recommends chromium; } > build/chromium.log 2>&1 \
	    || echo "chromium: $$(tail -n 1 build/chromium.log); the tests of the pages will be skipped"

lint: setup
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo 'the site: $(CURDIR)/build/site/index.html'

# what is installed, as CycloneDX; the tool is fetched, and where it is not to be had the reason is said
sbom: setup
	@mkdir -p build
	@if $(BIN)/uvx --quiet --from cyclonedx-bom cyclonedx-py environment --output-reproducible --of JSON \
	    -o build/sbom.json $(BIN)/python 2> build/sbom.log; \
	then echo 'the SBOM: build/sbom.json'; else echo "sbom: skipped, $$(tail -n 1 build/sbom.log)"; fi

audit: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python .ci/audit.py

clean:
	rm -rf $(VENV) .assay .pytest_cache build *.egg-info mlflow.db mlartifacts .dvc/cache .dvc/tmp
	git clean -fdxq data
