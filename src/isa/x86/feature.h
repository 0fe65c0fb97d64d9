// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The features of feature.def, as bit numbers of x86_core.features.
enum x86_feature {
#define FEATURE(name, leaf, subleaf, reg, bit, level, text) X86_FEATURE_##name,
#include "isa/x86/feature.def"
#undef FEATURE
    X86_FEATURES
};
