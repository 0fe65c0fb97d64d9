// SPDX-License-Identifier: BSD-3-Clause
#include "facet/facet.h"

#include "api/build_info.h"

struct facet_version facet_version(void)
{
    return (struct facet_version){
        .version = BUILD_VERSION,
        .compiler = BUILD_COMPILER,
        .decoder = BUILD_DECODER,
    };
}
