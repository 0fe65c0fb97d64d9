// SPDX-License-Identifier: BSD-3-Clause
// In place of net_user.c when there is no libslirp.
#include "dev/net_user.h"

COMPONENT_LISTS(net_user, NET_USER_PARAMS, NO_ROWS, NO_ROWS, NO_ROWS);

struct net_user {
    struct component base;
    struct net_user_params p;
    struct net_user_state st;
    struct net_user_stats n;
};

static bool net_user_check(struct component *c, struct error *err)
{
    return error_set(err, ERROR_UNSUPPORTED, "this facet was built without libslirp");
}

static const struct component_ops net_user_ops = {.check = net_user_check};

const struct component_type net_user_type = {
    .name = "net_user",
    .doc = "Network of the host for a card, without rights there",
    COMPONENT_LAYOUT(net_user),
    .ops = &net_user_ops,
};
