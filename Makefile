# Two commands: `make demo` shows the whole loop, `make test` checks it.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
LABEL_STUDIO_VERSION := 1.23.2
PORT ?= 9090
LABEL_STUDIO_PORT ?= 8080

BIN := .venv/bin
LABEL_STUDIO := .venv-label-studio/bin/label-studio
PIP_INSTALL := -m pip install --disable-pip-version-check

.PHONY: demo test check format bench screenshots clean help

help:
	@echo "make demo   the whole loop with a real Label Studio (ONCE=1: unattended; PORT=, LABEL_STUDIO_PORT=)"
	@echo "make test   all tests, Label Studio's included"
	@echo "make check  ruff and mypy"
	@echo "make bench  speed and quality figures"
	@echo "make screenshots  the pictures of the README, made anew in a browser"
	@echo "make clean  remove the virtual environments and the demonstration's data"

demo: .venv/installed $(LABEL_STUDIO)
	@$(BIN)/python -m backend demo $(if $(ONCE),--once) --port $(PORT) --label-studio-port $(LABEL_STUDIO_PORT) \
		--label-studio $(LABEL_STUDIO)

test: .venv/installed-dev $(LABEL_STUDIO)
	$(BIN)/python -m pytest $(ARGS)

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
	$(BIN)/python -m bench.suspects --sentences 300

# Needs Debian's chromium.
screenshots: .venv/installed-dev $(LABEL_STUDIO)
	$(BIN)/python -m tests.browser.screenshots

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
		|| { echo "Python 3.11 is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: requirements.txt | .venv/bin/python
	@echo "Installing the service into .venv (some minutes the first time)"
	$(BIN)/python $(PIP_INSTALL) -r requirements.txt
	@touch $@

.venv/installed-dev: requirements.txt requirements-dev.txt | .venv/bin/python
	@echo "Installing the service and the test tools into .venv (some minutes the first time)"
	$(BIN)/python $(PIP_INSTALL) -r requirements-dev.txt
	@touch $@ .venv/installed

# Label Studio pins versions that fight with ours, so it lives in an environment of its own.
$(LABEL_STUDIO):
	@echo "Installing Label Studio $(LABEL_STUDIO_VERSION) into .venv-label-studio (about 1 GB, some minutes)"
	$(PYTHON) -m venv .venv-label-studio
	.venv-label-studio/bin/python $(PIP_INSTALL) label-studio==$(LABEL_STUDIO_VERSION)

clean:
	rm -rf .venv .venv-label-studio .demo
