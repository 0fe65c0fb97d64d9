// SPDX-License-Identifier: BSD-3-Clause
// Scalar floating point: four bodies under gravity, with divisions and square roots.
#include <math.h>
#include <string.h>

#include "bench.h"

enum { BODIES = 4 };

struct body {
    double x, y, z, vx, vy, vz, mass;
};

static const struct body start[BODIES] = {
    {0, 0, 0, 0, 0, 0, 40},
    {4.8, -1.2, -0.1, 0.6, 2.8, -0.02, 0.04},
    {8.3, 4.1, -0.4, -1.0, 1.8, 0.01, 0.01},
    {12.9, -15.1, -0.2, 1.1, 0.9, -0.01, 0.002},
};

static void attract(struct body *p, struct body *q, double dt)
{
    double dx = p->x - q->x, dy = p->y - q->y, dz = p->z - q->z;
    double square = dx * dx + dy * dy + dz * dz;
    double pull = dt / (square * sqrt(square));

    p->vx -= dx * q->mass * pull;
    p->vy -= dy * q->mass * pull;
    p->vz -= dz * q->mass * pull;
    q->vx += dx * p->mass * pull;
    q->vy += dy * p->mass * pull;
    q->vz += dz * p->mass * pull;
}

static u64 round_of_work(void)
{
    struct body bodies[BODIES];
    u64 sum = 0;

    memcpy(bodies, start, sizeof(bodies));
    for (int step = 0; step < 150000; step++) {
        for (int i = 0; i < BODIES; i++) {
            for (int j = i + 1; j < BODIES; j++)
                attract(&bodies[i], &bodies[j], 0.001);
        }
        for (int i = 0; i < BODIES; i++) {
            bodies[i].x += 0.001 * bodies[i].vx;
            bodies[i].y += 0.001 * bodies[i].vy;
            bodies[i].z += 0.001 * bodies[i].vz;
        }
    }
    for (int i = 0; i < BODIES; i++) {
        u64 bits;

        memcpy(&bits, &bodies[i].x, sizeof(bits));
        sum = sum * 31 + bits;
    }
    return sum;
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, round_of_work, 0xda878a9c0e2c01f0ull);
}
