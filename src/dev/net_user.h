// SPDX-License-Identifier: BSD-3-Clause
// The network at the end of a card's cable that needs no rights on the host (type `net_user`):
// 10.0.2.0/24 with a gateway 10.0.2.2, a name server 10.0.2.3 and DHCP, from which the guest
// reaches what the user could reach. Built with libslirp (net_user.c) or without
// (net_user_absent.c), which refuses to be built into a machine.
#pragma once

#include "sim/component.h"

extern const struct component_type net_user_type;

#define NET_USER_PARAMS(P, PR, PB, PS, PC)                                                        \
    PS(card, NULL, "Path of the network card at this end")                                        \
    PB(restricted, false, "The guest reaches no other network, only what `forward` lets in")      \
    PS(forward, "", "Ports of the host's loopback that lead to the guest: tcp:2222:22,udp:53:53") \
    P(ticks, interval, 1000000000, 100000000, TICKS_PER_SECOND, "Time between two looks outside")
