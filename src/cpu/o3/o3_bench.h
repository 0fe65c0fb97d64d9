// SPDX-License-Identifier: BSD-3-Clause
// Guest code on the out-of-order CPU, for its tests. Guest memory is the host's, address by
// address; guest functions are assembly in the test itself.
#pragma once

#include "cpu/functional/block_cache.h"
#include "cpu/o3/o3_mock.h"
#include "isa/x86/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// guest_NAME: runs `body` as often as its argument (rdi) says. A page of data is at rsi.
#define GUEST_LOOP(name, body)                                                       \
    void guest_##name(void);                                                         \
    __asm__(".intel_syntax noprefix\n.text\n.balign 64\nguest_" #name ":\n1:\n" body \
            "\ndec rdi\njnz 1b\nret\n.att_syntax\n")

struct o3_bench {
    struct x86_core *core;
    struct block_cache *blocks;
    struct mock_machine machine;
    u8 *stack, *data, *end; // `end`: UD2, where guest functions return to
    u64 insts;
};

void o3_bench_init(struct o3_bench *b, const char *const *settings);
void o3_bench_release(struct o3_bench *b);
// Sets the core up to call a guest function.
void o3_bench_call(struct o3_bench *b, void (*guest)(void), u64 argument);
// Runs it to its end; returns the cycles.
u64 o3_bench_run(struct o3_bench *b, void (*guest)(void), u64 argument);
// Cycles of `count` iterations, start and end not counted, when caches and predictors are warm.
u64 o3_bench_loop(const char *const *settings, void (*guest)(void), u64 count);
