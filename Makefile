# SPDX-License-Identifier: BSD-3-Clause
# The front door; Meson does the work.
BUILD ?= build

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	meson setup $(BUILD)

.PHONY: all
