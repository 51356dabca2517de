# Two commands: `make demo` shows the whole loop, `make test` checks it.
PYTHONS := 3.11 3.12 3.13
PYTHON ?= $(or $(shell for v in $(PYTHONS); do python$$v -c '' 2>/dev/null && echo python$$v && break; done),python3)
PORT ?= 9090
LABEL_STUDIO_PORT ?= 8080
# 1: measure coverage, and fail below the threshold in pyproject.toml.
COVERAGE ?=

BIN := .venv/bin
LABEL_STUDIO := .venv-label-studio/bin/label-studio
UV := uv==0.13.9
PIP_INSTALL := -m pip install --disable-pip-version-check
LOCKED := --require-hashes -r

# Torch's CPU build where pip is told of a place that has it; otherwise the lock file brings PyPI's, with CUDA.
define INSTALL_TORCH_CPU
@$(BIN)/python $(PIP_INSTALL) --quiet --no-deps $(LOCKED) requirements-cpu.lock 2>/dev/null \
	|| echo "pip finds no CPU build of torch: it takes PyPI's, several GB on Linux"
endef

.PHONY: demo test test-fast coverage check format bench screenshots lock resolve clean help

help:
	@echo "make demo       the whole loop with a real Label Studio (ONCE=1: unattended; PORT=, LABEL_STUDIO_PORT=)"
	@echo "make test       all tests, Label Studio's included (ARGS=: what pytest is told; COVERAGE=1)"
	@echo "make test-fast  the tests without Label Studio, a browser or long training: under 3 minutes"
	@echo "make coverage   all tests with coverage of lines and branches"
	@echo "make check      ruff and mypy"
	@echo "make format     ruff's corrections and formatting"
	@echo "make bench      speed and quality figures"
	@echo "make screenshots  the pictures of the README, made anew in a browser"
	@echo "make lock       the lock files, after a change of requirements*.txt (ARGS=--upgrade: newest versions)"
	@echo "make resolve    whether everything locked has wheels for Python $(PYTHONS)"
	@echo "make clean      remove the virtual environments, the demonstration's data and coverage data"

demo: .venv/installed $(LABEL_STUDIO)
	@$(BIN)/python -m backend demo $(if $(ONCE),--once) --port $(PORT) --label-studio-port $(LABEL_STUDIO_PORT) \
		--label-studio $(LABEL_STUDIO)

test: .venv/installed-dev $(LABEL_STUDIO)
	$(BIN)/python -m pytest $(if $(COVERAGE),--cov --cov-report=term) $(ARGS)

test-fast: .venv/installed-dev
	$(BIN)/python -m pytest -m "not slow and not label_studio and not browser" $(if $(COVERAGE),--cov --cov-report=term) $(ARGS)

coverage:
	$(MAKE) test COVERAGE=1

check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/installed-dev
	$(BIN)/python -m bench.protocol
	$(BIN)/python -m bench.convert --tasks 20000
	$(BIN)/python -m bench.predict --tasks 500 --seconds 3
	$(BIN)/python -m bench.train
	$(BIN)/python -m bench.label_issues --sentences 300

# Needs Debian's chromium.
screenshots: .venv/installed-dev $(LABEL_STUDIO)
	$(BIN)/python -m tests.browser.screenshots

lock: .venv-lock/installed
	.venv-lock/bin/python tools/lock.py $(ARGS)

resolve: .venv-lock/installed
	.venv-lock/bin/python tools/resolve.py $(PYTHONS)

.venv/bin/python:
	@$(CHECK_PYTHON)
	"$(PYTHON)" -m venv .venv

CHECK_PYTHON = "$(PYTHON)" -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] not in "$(PYTHONS)".split())' \
	|| { echo "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=/path/to/python3.12"; exit 1; }

.venv/installed: requirements.lock requirements-cuda.lock requirements-cpu.lock requirements-pip.lock | .venv/bin/python
	@echo "Installing the service into .venv (some minutes the first time)"
	$(BIN)/python $(PIP_INSTALL) $(LOCKED) requirements-pip.lock
	$(INSTALL_TORCH_CPU)
	$(BIN)/python $(PIP_INSTALL) $(LOCKED) requirements.lock
	@touch $@

.venv/installed-dev: requirements-dev.lock .venv/installed
	@echo "Installing the test tools into .venv"
	$(BIN)/python $(PIP_INSTALL) $(LOCKED) requirements-dev.lock
	@touch $@

.venv-lock/installed: requirements-pip.lock
	@$(CHECK_PYTHON)
	"$(PYTHON)" -m venv .venv-lock
	.venv-lock/bin/python $(PIP_INSTALL) --quiet $(LOCKED) requirements-pip.lock
	.venv-lock/bin/python $(PIP_INSTALL) --quiet $(UV)
	@touch $@

# Label Studio pins versions that conflict with ours, so it lives in an environment of its own.
$(LABEL_STUDIO): requirements-label-studio.lock requirements-pip.lock
	@echo "Installing Label Studio into .venv-label-studio (about 1 GB, some minutes)"
	@$(CHECK_PYTHON)
	"$(PYTHON)" -m venv .venv-label-studio
	.venv-label-studio/bin/python $(PIP_INSTALL) $(LOCKED) requirements-pip.lock
	.venv-label-studio/bin/python $(PIP_INSTALL) $(LOCKED) requirements-label-studio.lock
	@touch $@

clean:
	rm -rf .venv .venv-label-studio .venv-lock .demo .coverage .coverage.*
