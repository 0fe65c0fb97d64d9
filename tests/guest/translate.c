// SPDX-License-Identifier: BSD-3-Clause
// Random paging structures, walked by facet and by the host's KVM (KVM_TRANSLATE): the same
// addresses are mapped, to the same places. Skipped where there is no KVM.
#include "kvm.h"

#include "base/rng.h"
#include "isa/x86/cpuid.h"
#include "isa/x86/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

enum { ROUNDS = 60, ADDRESSES = 40, FIRST = 16, TABLES = 32, TABLE = FIRST << 12 };

static const struct mode {
    const char *name;
    u64 cr4, efer;
} modes[] = {
    {"32-bit paging, small pages only", 0, 0},
    {"32-bit paging", X86_CR4_PSE, 0},
    {"PAE paging", X86_CR4_PAE, 0},
    {"PAE paging with no-execute", X86_CR4_PAE, X86_EFER_NXE},
    {"4-level paging", X86_CR4_PAE, X86_EFER_LME | X86_EFER_LMA},
    {"4-level paging with no-execute", X86_CR4_PAE, X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE},
    {"5-level paging", X86_CR4_PAE | X86_CR4_LA57, X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE},
};

static bool one_in(struct rng *rng, u64 n)
{
    return rng_below(rng, n) == 0;
}

// Mostly present entries that lead to other tables; now and then large pages and reserved bits.
static u64 random_entry(struct rng *rng, bool wide)
{
    u64 e = (FIRST + rng_below(rng, TABLES)) << 12 | (rng_next(rng) & 0xf7e) | !one_in(rng, 20);

    e = one_in(rng, 10) ? e | 0x80 : e & ~0x80ull;
    if (one_in(rng, 2)) // so that large pages are well formed
        e &= wide ? ~0x1ff000ull : ~0x3ff000ull;
    if (one_in(rng, 40))
        e ^= 1ull << (wide ? 12 + rng_below(rng, 52) : 12 + rng_below(rng, 20));
    return wide && one_in(rng, 30) ? e | 1ull << 63 : e;
}

static void make_tables(u8 *ram, struct rng *rng, const struct mode *m)
{
    bool wide = m->cr4 & X86_CR4_PAE;

    for (u32 at = TABLE; at < TABLE + (TABLES << 12); at += wide ? 8 : 4) {
        u64 e = random_entry(rng, wide);

        memcpy(ram + at, &e, wide ? 8 : 4);
    }
    if (wide && !(m->efer & X86_EFER_LMA)) // the processor loads these four with CR3
        for (u32 i = 0; i < 4; i++) {
            u64 e = (FIRST + rng_below(rng, TABLES)) << 12 | !one_in(rng, 6);

            memcpy(ram + TABLE + 8 * i, &e, 8);
        }
}

static bool enter_mode(const struct vm *v, struct x86_core *c, const struct mode *m)
{
    struct kvm_sregs s;

    c->s.cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_ET | X86_CR0_NE;
    c->s.cr3 = TABLE;
    c->s.cr4 = m->cr4;
    c->s.efer = m->efer;
    x86_state_loaded(c);
    if (ioctl(v->cpu, KVM_GET_SREGS, &s) < 0)
        return false;
    s.cr0 = c->s.cr0;
    s.cr3 = c->s.cr3;
    s.cr4 = c->s.cr4;
    s.efer = c->s.efer;
    s.cs.l = (m->efer & X86_EFER_LMA) != 0;
    s.cs.db = !s.cs.l;
    s.cs.g = s.ss.g = 1;
    return ioctl(v->cpu, KVM_SET_SREGS, &s) == 0;
}

static u64 random_address(struct rng *rng, const struct mode *m)
{
    u64 va = rng_next(rng);

    if (!(m->efer & X86_EFER_LMA))
        return (u32)va;
    return m->cr4 & X86_CR4_LA57 ? (u64)((i64)(va << 7) >> 7) : (u64)((i64)(va << 16) >> 16);
}

// Returns the number of differences; counts mapped addresses.
static u32 compare(const struct vm *v, struct x86_core *c, struct rng *rng, const struct mode *m,
                   u32 *mapped)
{
    u32 wrong = 0;

    for (u32 n = 0; n < ADDRESSES; n++) {
        struct kvm_translation t = {.linear_address = random_address(rng, m)};
        paddr pa = 0;
        bool valid = x86_translate_debug(c, t.linear_address, &pa);

        if (ioctl(v->cpu, KVM_TRANSLATE, &t) < 0)
            continue;
        *mapped += valid;
        if (valid == t.valid && (!valid || pa == t.physical_address))
            continue;
        if (wrong++ == 0)
            printf("# %s: %#llx: facet %d %#llx, KVM %d %#llx\n", m->name, t.linear_address, valid,
                   (unsigned long long)pa, t.valid, t.physical_address);
    }
    return wrong;
}

static void test_mode(const struct vm *v, struct x86_core *c, const struct mode *m, u32 number)
{
    struct rng rng = {.state = number};
    u32 wrong = 0, mapped = 0, rounds = 0;

    if (!(m->efer & X86_EFER_LMA) && access("/sys/module/kvm_pvm", F_OK) == 0) {
        printf("ok %u - %s # SKIP a paravirtual KVM pages in IA-32e mode only\n", number, m->name);
        return;
    }
    for (u32 n = 0; n < ROUNDS; n++) {
        make_tables(v->ram, &rng, m);
        if (!enter_mode(v, c, m))
            break;
        wrong += compare(v, c, &rng, m, &mapped);
        rounds++;
    }
    if (rounds == 0)
        printf("ok %u - %s # SKIP KVM refuses this mode\n", number, m->name);
    else
        printf("%s %u - %s\n# %u of %u addresses mapped\n", wrong || mapped == 0 ? "not ok" : "ok",
               number, m->name, mapped, rounds * ADDRESSES);
}

static bool ram_access(void *ctx, paddr addr, unsigned size, void *data, bool write)
{
    memset(data, 0xff, size);
    return false;
}

static u8 *ram_page(void *ctx, paddr page, bool write)
{
    return page < GUEST_RAM ? (u8 *)ctx + page : NULL;
}

int main(void)
{
    static const struct mem_port_ops ops = {.access = ram_access, .host_page = ram_page};
    struct x86_core *c = calloc(1, sizeof(*c));
    struct vm v;
    struct error err;
    char why[160];

    if (!vm_create(&v, why)) {
        printf("1..0 # SKIP %s\n", why);
    } else if (!x86_core_init(c, 0, &(struct mem_port){.ops = &ops, .ctx = v.ram},
                              "x86-64-v3,+la57,-pdpe1gb", &err)) {
        printf("1..0 # SKIP %s\n", err.message);
    } else {
        for (u32 i = 0; i < ARRAY_SIZE(modes); i++)
            test_mode(&v, c, &modes[i], i + 1);
        printf("1..%zu\n", ARRAY_SIZE(modes));
        x86_core_release(c);
    }
    vm_release(&v);
    free(c);
    return 0;
}
