# Two commands matter: `make demo` and `make test`. They work in any order and share one .venv.
PYTHON ?= python3
TORCH_INDEX ?=
PARITY_MB ?= 50
PARITY_FUZZ ?= 1000000
MINUTES ?= 120
POWER_CUTS ?= 10000
KILLS ?= 500
FAULTY_UPLOADS ?= 1000
ALLOW_CUDA ?=
PYTEST_ARGS ?=

# Models are fetched once per checkout and stay there after `make clean`.
EDGERT_CACHE ?= $(CURDIR)/.cache
export EDGERT_CACHE
export EDGERT_TORCH_INDEX ?= $(TORCH_INDEX)

BIN := .venv/bin
DEMO_EXTRAS := convert,broker
TEST_EXTRAS := convert,broker,flash,esp,images,metrics,updates,wyoming,dev
SETUP = $(PYTHON) tools/setup_venv.py $(if $(TORCH_INDEX),--torch-index '$(TORCH_INDEX)') $(if $(ALLOW_CUDA),--allow-cuda)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint bench parity faults soak recipes fuzz powercut linkfaults clean distclean venv debian-packages

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo '  PYTHON=python3.11   the Python (3.11 or later) that .venv is made with'
	@echo '  TORCH_INDEX=URL     package index with the CPU build of PyTorch, where the default one has CUDA'
	@echo '  ALLOW_CUDA=1        take the CUDA build, several GB more'
	@echo '  EDGERT_CACHE=DIR    where models are kept (default: .cache here)'

demo:  ## a real open model, quantized to int8, obeys sentences over MQTT
	@$(SETUP) --extras $(DEMO_EXTRAS)
	@$(BIN)/edgert demo

test: debian-packages lint  ## lint, type check and all tests; PYTEST_ARGS go to pytest
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: venv  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tools/setup_venv.py

bench: venv  ## every benchmark, one table each
	@set -e; for file in $$(grep -l __main__ benchmarks/*.py | grep -v /soak.py); do \
	  name=$$(basename $$file .py); echo "== $$name"; $(BIN)/python -m benchmarks.$$name; \
	done

parity: venv  ## the long proof that tokens are those of Hugging Face; PARITY_MB, PARITY_FUZZ bound it
	$(BIN)/python -m benchmarks.tokenizing.with_newest tests.edge_runtime.tokenizer.parity \
	  --mb $(PARITY_MB) --fuzz $(PARITY_FUZZ) --output benchmarks/results/parity.json

faults: venv debian-packages  ## every fault that docs/faults.md lists, on real brokers
	$(BIN)/python -m pytest $$(grep -o 'tests/[^`]*::[a-z_0-9]*' docs/faults.md) $(PYTEST_ARGS)

soak: venv debian-packages  ## MINUTES of mixed work on one daemon: memory, lost requests
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES)

recipes: venv debian-packages  ## every recipe converted, 45 minutes; bundles that are up to date stay
	@failed=; for file in models/*.toml; do \
	  name=$$(basename $$file .toml); echo "== $$name"; \
	  $(BIN)/edgert convert $$name -o edgert-demo/$$name || failed="$$failed $$name"; \
	done; [ -z "$$failed" ] || { echo "not converted:$$failed"; exit 1; }
	REAL_EXPORTERS=1 $(BIN)/python -m pytest tests/tools/export tests/tools/generation $(PYTEST_ARGS)

fuzz: venv  ## a million hostile messages, a million SMP frames, a hundred thousand bundle files
	$(BIN)/python -m tests.edge_runtime.mqtt.fuzz_contract 1000000
	$(BIN)/python -m tests.edge_runtime.bundle.container.fuzz_container 100000
	$(BIN)/python -m tests.firmware_bridge.smp.fuzz_frames 1000000

linkfaults: venv  ## bundles over damaged cables: no wrong byte, little sent twice
	$(BIN)/python -m tests.firmware_bridge.flash.link_faults $(FAULTY_UPLOADS)

powercut: venv debian-packages  ## the store of a board cut off at every step, and daemons killed in it
	POWER_CUTS=$(POWER_CUTS) KILLS=$(KILLS) $(BIN)/python -m pytest --timeout 3600 \
	  tests/edge_runtime/bundle/store/test_power_cut.py tests/edge_runtime/test_daemon_store.py $(PYTEST_ARGS)

clean:  ## remove .venv and everything built; models stay
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## clean, and remove the models fetched into .cache
	rm -rf .cache

venv:
	@$(SETUP) --extras $(TEST_EXTRAS)

# Without Mosquitto the broker tests still run, against the embedded broker. In CI its absence is an error.
debian-packages:
	@missing=; \
	[ -x /usr/sbin/mosquitto ] || command -v mosquitto >/dev/null || missing="$$missing mosquitto"; \
	command -v mosquitto_rr >/dev/null || missing="$$missing mosquitto-clients"; \
	command -v espeak-ng >/dev/null || missing="$$missing espeak-ng"; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	command -v qemu-aarch64 >/dev/null || missing="$$missing qemu-user"; \
	command -v mmdebstrap >/dev/null || missing="$$missing mmdebstrap"; \
	command -v gcc >/dev/null || missing="$$missing gcc"; \
	[ "$$(uname -m)" != x86_64 ] || [ -e /lib/ld-linux.so.2 ] || missing="$$missing libc6-i386"; \
	[ "$$(uname -m)" != x86_64 ] || ls /usr/lib32/libgcc_s.so.1 >/dev/null 2>&1 || missing="$$missing lib32gcc-s1"; \
	[ -f /usr/include/stdio.h ] || missing="$$missing libc6-dev"; \
	[ -f /usr/share/unicode/UnicodeData.txt ] || missing="$$missing unicode-data"; \
	PATH="$$PATH:/usr/sbin:/sbin" command -v ip >/dev/null || missing="$$missing iproute2"; \
	ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || missing="$$missing faketime"; \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing for the tests:$$missing"; \
	  if apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends $$missing >/dev/null; then exit 0; fi; \
	  [ -z "$$CI" ] || exit 1; \
	fi; \
	echo "not installed here:$$missing. Broker tests run against the embedded broker; tests that need these skip."; \
	echo "On Debian, as root: apt-get install$$missing"
