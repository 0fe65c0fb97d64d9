// SPDX-License-Identifier: BSD-3-Clause
// The entry that libFuzzer and replay.c call with one input. Any input must come back: an abort, a
// sanitizer's report or a hang is a finding.
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
