# SPDX-License-Identifier: BSD-3-Clause
# The front door; Meson does the work. Everything here also works by hand: see CONTRIBUTING.md.
BUILD ?= build
PYTHON := /usr/bin/python3
export PATH := /usr/bin:/bin:/usr/sbin:/sbin:$(PATH)

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	meson setup $(BUILD)

setup: # installs the Debian packages that are missing (tools/packages.txt)
	tools/setup

demo: setup
	@$(MAKE) --no-print-directory all
	tools/demo $(BUILD)/facet

test: setup # everything: all suites, both compilers, sanitizers
	$(PYTHON) tools/run_tests.py

test-long: setup # what takes hours: the nightly suites
	@$(MAKE) --no-print-directory all
	meson test -C $(BUILD) --no-rebuild --suite nightly --print-errorlogs --num-processes $$(nproc)

check: all # what every commit must pass; seconds
	meson test -C $(BUILD) --no-rebuild --suite quick --print-errorlogs

bench: setup
	@$(MAKE) --no-print-directory all
	$(PYTHON) bench/run.py --facet $(BUILD)/facet $(BENCH)

bench-micro: all # this processor and facet's model of it: make bench-micro [UPDATE=1] [MICRO="add load"]
	$(PYTHON) bench/micro.py --facet $(BUILD)/facet $(if $(UPDATE),--update) $(MICRO)

conform: all # the long comparison with the host processor: make conform [CASES=50M] [SEED=1]
	$(BUILD)/tests/conform/conform --cases $(or $(CASES),50M) --seed $(or $(SEED),1)

fuzz: setup # make fuzz T=elf|yaml|decode [SECONDS=60]
	tools/fuzz "$(T)" "$(or $(SECONDS),60)"

lint: setup
	@$(MAKE) --no-print-directory all
	meson test -C $(BUILD) --no-rebuild --suite house --print-errorlogs
	$(PYTHON) tools/tidy.py $(BUILD)

fmt:
	$(PYTHON) tools/check_format.py --fix

update-reference: all # docs/reference/, from what the program says of itself
	$(PYTHON) tools/check_reference.py --facet $(BUILD)/facet --update
	$(PYTHON) -B tools/limits.py >docs/reference/limits.md

clean:
	rm -rf $(BUILD) build-clang build-asan build-fuzz

.PHONY: all setup demo test test-long check bench bench-micro conform fuzz lint fmt update-reference clean
