// SPDX-License-Identifier: BSD-3-Clause
// A small bytecode machine with a switch in a loop; its program counts primes by trial division.
#include "bench.h"

enum op { SET, ADD, SUB, MUL, MOD, MOVE, JUMP, JUMP_ZERO, JUMP_LESS, HALT };

struct insn {
    u8 op, a, b;
    int value;
};

enum { N, D, T, COUNT, ONE, LIMIT, ZERO, REGISTERS };

static const struct insn program[] = {
    /*  0 */ {SET, N, 0, 2},
    /*  1 */ {SET, ONE, 0, 1},
    /*  2 */ {SET, LIMIT, 0, 9000},
    /*  3 */ {SET, D, 0, 2},
    /*  4 */ {MOVE, T, D, 0},
    /*  5 */ {MUL, T, D, 0},
    /*  6 */ {JUMP_LESS, N, T, 12}, // n < d * d: prime
    /*  7 */ {MOVE, T, N, 0},
    /*  8 */ {MOD, T, D, 0},
    /*  9 */ {JUMP_ZERO, T, 0, 13}, // divisible
    /* 10 */ {ADD, D, ONE, 0},
    /* 11 */ {JUMP, 0, 0, 4},
    /* 12 */ {ADD, COUNT, ONE, 0},
    /* 13 */ {ADD, N, ONE, 0},
    /* 14 */ {JUMP_LESS, N, LIMIT, 3},
    /* 15 */ {HALT, 0, 0, 0},
};

static u64 run(const struct insn *code)
{
    u64 r[REGISTERS] = {0};

    for (const struct insn *i = code;; i++) {
        switch ((enum op)i->op) {
        case SET:
            r[i->a] = (u64)i->value;
            break;
        case ADD:
            r[i->a] += r[i->b];
            break;
        case SUB:
            r[i->a] -= r[i->b];
            break;
        case MUL:
            r[i->a] *= r[i->b];
            break;
        case MOD:
            r[i->a] %= r[i->b];
            break;
        case MOVE:
            r[i->a] = r[i->b];
            break;
        case JUMP:
            i = code + i->value - 1;
            break;
        case JUMP_ZERO:
            if (r[i->a] == 0)
                i = code + i->value - 1;
            break;
        case JUMP_LESS:
            if (r[i->a] < r[i->b])
                i = code + i->value - 1;
            break;
        case HALT:
            return r[COUNT];
        }
    }
}

static u64 round_of_work(void)
{
    u64 sum = 0;

    for (int i = 0; i < 10; i++)
        sum += run(program);
    return sum;
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv, round_of_work, 10 * 1117); // primes below 9000
}
