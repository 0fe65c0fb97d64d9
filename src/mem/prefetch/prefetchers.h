// SPDX-License-Identifier: BSD-3-Clause
// The prefetchers; each provides "prefetcher" (mem/prefetch/prefetcher.h). Physical addresses are
// all they see, so none prefetches beyond the page of the access (`page`).
#pragma once

#include "sim/component.h"

extern const struct component_type next_line_prefetcher_type;
extern const struct component_type stride_prefetcher_type;
extern const struct component_type stream_prefetcher_type;
extern const struct component_type best_offset_prefetcher_type;
extern const struct component_type spp_prefetcher_type;
