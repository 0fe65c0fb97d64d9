// SPDX-License-Identifier: BSD-3-Clause
// The first stack (x86-64 psABI §3.4.1), from the top: path of the program, environment strings,
// argument strings, random bytes, platform name; below a fixed border the pointers. Where things
// lie depends as little as possible on how long the strings are: their area has a size of 32 KiB
// (or the next multiple that is enough), and the first argument, which is often a path, has 512
// bytes of it.
#include "isa/x86/feature.h"
#include "os/elf.h"
#include "os/linux/exec_priv.h"

#include <linux/auxvec.h>
#include <string.h>

enum { AREA_UNIT = 32768, FIRST_ARGUMENT = 512, AUX_MAX = 24, ENTRY_BYTES = 56 };

struct writer {
    struct mm *mm;
    vaddr at;
    bool ok;
};

static vaddr put(struct writer *w, const void *data, u64 size)
{
    vaddr at = w->at;

    w->ok = w->ok && mm_write(w->mm, at, data, size);
    w->at += size;
    return at;
}

static u64 strings_bytes(char *const *s)
{
    u64 sum = 0;

    for (; *s; s++)
        sum += strlen(*s) + 1;
    return sum;
}

static u64 hwcap(const struct task *t)
{
    static const struct {
        u8 feature, bit;
    } row[] = {
#define X86_NONE 0
#define X86_EDX 1
#define X86_ECX 0
#define X86_EBX 0
#define X86_EAX 0
#define FEATURE(name, leaf, subleaf, reg, bit, level, text) \
    {(leaf) == 1 && X86_##reg ? X86_FEATURE_##name : 0, bit},
#include "isa/x86/feature.def"
#undef FEATURE
    };
    u64 bits = 0;

    for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
        if (row[i].feature && x86_has(t->kernel->cpus[0].core, row[i].feature))
            bits |= 1ull << row[i].bit;
    }
    return bits;
}

static char *join(char *const *strings, u32 *ret_bytes)
{
    u64 size = strings_bytes(strings), at = 0;
    char *text = xcalloc(size + 1, 1);

    for (; *strings; strings++) {
        memcpy(text + at, *strings, strlen(*strings) + 1);
        at += strlen(*strings) + 1;
    }
    *ret_bytes = (u32)size;
    return text;
}

static u32 make_auxv(const struct task *t, const struct stack_image *x, vaddr path, vaddr random,
                     vaddr platform, u64 aux[2 * AUX_MAX])
{
    const struct {
        u64 key, value;
    } rows[] = {
        {AT_HWCAP, hwcap(t)},
        {AT_PAGESZ, PAGE_BYTES},
        {AT_CLKTCK, 100},
        {AT_PHDR, x->elf->phdr_va ? x->elf->phdr_va + x->bias : 0},
        {AT_PHENT, ENTRY_BYTES},
        {AT_PHNUM, x->elf->phdr_count},
        {AT_BASE, x->interp_base},
        {AT_FLAGS, 0},
        {AT_ENTRY, x->elf->entry + x->bias},
        {AT_UID, getuid()},
        {AT_EUID, geteuid()},
        {AT_GID, getgid()},
        {AT_EGID, getegid()},
        {AT_SECURE, 0},
        {AT_RANDOM, random},
        {AT_HWCAP2, x86_has(t->kernel->cpus[0].core, X86_FEATURE_FSGSBASE) ? 2 : 0},
        {AT_EXECFN, path},
        {AT_PLATFORM, platform},
        {AT_NULL, 0},
    };

    _Static_assert(ARRAY_SIZE(rows) <= AUX_MAX, "room for the vector");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        aux[2 * i] = rows[i].key;
        aux[2 * i + 1] = rows[i].value;
    }
    return ARRAY_SIZE(rows);
}

vaddr exec_stack(struct task *t, struct mm *mm, const struct stack_image *x)
{
    u64 argc = x->argv->count, envc = 0, first, total, area;
    u64 random[2] = {kernel_random(t->kernel), kernel_random(t->kernel)};
    u64 aux[2 * AUX_MAX];
    struct writer w = {.mm = mm, .ok = true};
    vaddr path_va, platform, random_va, sp;
    u64 *pointers;
    u32 n_aux, n = 0;
    char *no_args[] = {NULL};
    char **argv;

    for (; x->envp[envc]; envc++)
        ;
    argv = xcalloc(argc + 1, sizeof(*argv));
    memcpy(argv, argc ? x->argv->items : no_args, argc * sizeof(*argv));
    first = argc ? (strlen(argv[0]) + FIRST_ARGUMENT) & ~(u64)(FIRST_ARGUMENT - 1) : 0;
    total = strings_bytes(argv) + first + strings_bytes(x->envp) + strlen(x->path) + 64 + 8;
    area = (total + AREA_UNIT - 1) & ~(u64)(AREA_UNIT - 1);
    if (area + (argc + envc) * 8 > MAX(mm->stack_limit / 4, KiB(128)) || area > MiB(6)) {
        free(argv);
        return 0;
    }
    pointers = xcalloc(argc + envc + 3, sizeof(u64));
    w.at = MM_STACK_TOP - area;
    platform = put(&w, "x86_64", 7);
    w.at = (w.at + 15) & ~15ull;
    random_va = put(&w, random, sizeof(random));
    pointers[n++] = argc;
    mm->arg_start = w.at;
    for (u64 i = 0; i < argc; i++) {
        pointers[n++] = put(&w, argv[i], strlen(argv[i]) + 1);
        if (i == 0)
            w.at = pointers[1] + first;
    }
    mm->arg_end = mm->env_start = w.at;
    pointers[n++] = 0;
    for (u64 i = 0; i < envc; i++)
        pointers[n++] = put(&w, x->envp[i], strlen(x->envp[i]) + 1);
    pointers[n++] = 0;
    mm->env_end = w.at;
    w.at = MM_STACK_TOP - 8 - strlen(x->path) - 1;
    path_va = put(&w, x->path, strlen(x->path) + 1);
    n_aux = make_auxv(t, x, path_va, random_va, platform, aux);
    sp = (MM_STACK_TOP - area - 256 - (n + 2 * n_aux) * 8) & ~15ull;
    w.at = sp;
    put(&w, pointers, n * 8);
    put(&w, aux, 16 * n_aux);
    mm->start_stack = sp;
    mm->cmdline = join(argv, &mm->cmdline_bytes);
    mm->environ = join(x->envp, &mm->environ_bytes);
    mm->auxv_bytes = 16 * n_aux;
    mm->auxv = xcalloc(1, mm->auxv_bytes);
    memcpy(mm->auxv, aux, mm->auxv_bytes);
    free(pointers);
    free(argv);
    return w.ok ? sp : 0;
}
