// SPDX-License-Identifier: BSD-3-Clause
// KVM and its quality. A tiny machine is made and run: a loop in kernel mode and in user mode (a
// paravirtual KVM emulates the first, instruction by instruction), the cost of an exit, and whether
// CPUID shows what it was told to show. Everything in one child process with a time limit.
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/host_priv.h"
#include "base/alloc.h"

enum {
    GUEST_BYTES = 0x10000,
    PML4 = 0x1000,
    PDPT = 0x2000,
    PD = 0x3000,
    LOOP_CODE = 0x8000,
    OUT_CODE = 0x8005,
    CPUID_CODE = 0x8100,
    CPUID_ENTRIES = 128,
    EXITS = 300,
    HIDDEN_LEAF1_ECX = 1 << 23 | 1 << 20 | 1 << 28, // POPCNT, SSE4.2, AVX
};

// In memory shared with the parent: what was learnt stays even if the child hangs.
struct kvm_result {
    int error;        // errno of the step below
    const char *step; // the step that failed, or NULL
    double create_seconds;
    struct mode {
        bool ran;
        double insts_per_second, exit_seconds;
    } modes[2]; // kernel, user
    bool cpuid_ran, cpuid_leaks;
    bool immediate_exit, sync_regs, tsc_control, irqchip_split;
};

struct tiny {
    struct kvm_result *out;
    int kvm, vm, vcpu;
    struct kvm_run *run;
    u8 *memory;
};

static bool failed(struct tiny *t, const char *step)
{
    t->out->error = errno;
    t->out->step = step;
    return false;
}

// The guest: page tables that map the first 2 MiB for everybody, and two pieces of code.
static void fill_memory(u8 *memory)
{
    static const u8 loop[] = {0x48, 0xff, 0xc9, 0x75, 0xfb, // dec rcx; jnz loop
                              0xe6, 0x10, 0xeb, 0xfc};      // out 0x10, al; jmp back to it
    static const u8 cpuid[] = {0x0f, 0xa2, 0xe6, 0x10};     // cpuid; out 0x10, al
    static const u64 entries[][2] = {{PML4, PDPT | 7}, {PDPT, PD | 7}, {PD, 0x87}};

    for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
        memcpy(memory + entries[i][0], &entries[i][1], sizeof(u64));
    memcpy(memory + LOOP_CODE, loop, sizeof(loop));
    memcpy(memory + CPUID_CODE, cpuid, sizeof(cpuid));
}

// Shows the guest what KVM supports without three features that every recent processor has.
static bool set_cpuid(struct tiny *t)
{
    AUTO_FREE struct kvm_cpuid2 *table =
        xcalloc(1, sizeof(*table) + CPUID_ENTRIES * sizeof(table->entries[0]));

    table->nent = CPUID_ENTRIES;
    if (ioctl(t->kvm, KVM_GET_SUPPORTED_CPUID, table) < 0)
        return failed(t, "KVM_GET_SUPPORTED_CPUID");
    for (u32 i = 0; i < table->nent; i++) {
        if (table->entries[i].function == 1)
            table->entries[i].ecx &= ~(u32)HIDDEN_LEAF1_ECX;
    }
    if (ioctl(t->vcpu, KVM_SET_CPUID2, table) < 0)
        return failed(t, "KVM_SET_CPUID2");
    return true;
}

static bool create(struct tiny *t)
{
    struct kvm_userspace_memory_region region = {.memory_size = GUEST_BYTES};
    int size;

    t->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (t->kvm < 0)
        return failed(t, "opening /dev/kvm");
    if (ioctl(t->kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
        return failed(t, "KVM_GET_API_VERSION");
    t->out->create_seconds = -host_now();
    t->vm = ioctl(t->kvm, KVM_CREATE_VM, 0);
    if (t->vm < 0)
        return failed(t, "KVM_CREATE_VM");
    t->memory = mmap(NULL, GUEST_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (t->memory == MAP_FAILED)
        return failed(t, "mmap of guest memory");
    region.userspace_addr = (uintptr_t)t->memory;
    if (ioctl(t->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
        return failed(t, "KVM_SET_USER_MEMORY_REGION");
    t->vcpu = ioctl(t->vm, KVM_CREATE_VCPU, 0);
    if (t->vcpu < 0)
        return failed(t, "KVM_CREATE_VCPU");
    size = ioctl(t->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    t->run = mmap(NULL, (size_t)MAX(size, 4096), PROT_READ | PROT_WRITE, MAP_SHARED, t->vcpu, 0);
    if (t->run == MAP_FAILED)
        return failed(t, "mmap of the virtual CPU");
    t->out->create_seconds += host_now();
    fill_memory(t->memory);
    return set_cpuid(t);
}

static void check_capabilities(struct tiny *t)
{
    t->out->immediate_exit = ioctl(t->kvm, KVM_CHECK_EXTENSION, KVM_CAP_IMMEDIATE_EXIT) > 0;
    t->out->sync_regs = ioctl(t->kvm, KVM_CHECK_EXTENSION, KVM_CAP_SYNC_REGS) > 0;
    t->out->tsc_control = ioctl(t->kvm, KVM_CHECK_EXTENSION, KVM_CAP_TSC_CONTROL) > 0;
    t->out->irqchip_split = ioctl(t->kvm, KVM_CHECK_EXTENSION, KVM_CAP_SPLIT_IRQCHIP) > 0;
}

// Long mode with flat segments; `privilege` is 0 or 3. I/O is allowed to both by IOPL 3.
static bool set_state(struct tiny *t, int privilege, u64 rip, u64 rcx)
{
    struct kvm_segment data = {.limit = 0xffffffff,
                               .selector = (u16)(0x10 | privilege),
                               .type = 3,
                               .present = 1,
                               .dpl = (u8)privilege,
                               .db = 1,
                               .s = 1,
                               .g = 1};
    struct kvm_segment code = data;
    struct kvm_regs regs = {.rip = rip, .rcx = rcx, .rax = 1, .rsp = 0xf000, .rflags = 0x3002};
    struct kvm_sregs sregs;

    if (ioctl(t->vcpu, KVM_GET_SREGS, &sregs) < 0)
        return failed(t, "KVM_GET_SREGS");
    code.selector = (u16)(0x18 | privilege);
    code.type = 11;
    code.db = 0;
    code.l = 1;
    sregs.cs = code;
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
    sregs.cr0 = 0x80050033;
    sregs.cr3 = PML4;
    sregs.cr4 = 0x620;
    sregs.efer = 0x500;
    if (ioctl(t->vcpu, KVM_SET_SREGS, &sregs) < 0)
        return failed(t, "KVM_SET_SREGS");
    if (ioctl(t->vcpu, KVM_SET_REGS, &regs) < 0)
        return failed(t, "KVM_SET_REGS");
    return true;
}

static bool run_to_exit(struct tiny *t)
{
    int result;

    do {
        result = ioctl(t->vcpu, KVM_RUN, 0);
    } while (result < 0 && errno == EINTR);
    if (result == 0 && t->run->exit_reason == KVM_EXIT_IO)
        return true;
    errno = result < 0 ? errno : 0;
    return failed(t, "KVM_RUN");
}

// Finds a loop that takes about 30 ms, so that slow and fast KVMs are measured alike.
static bool measure(struct tiny *t, int privilege, struct mode *mode)
{
    double start, seconds = 0;
    u64 rounds = 2000;

    for (; seconds < 0.03 && rounds < 1000000000; rounds *= 4) {
        if (!set_state(t, privilege, LOOP_CODE, rounds))
            return false;
        start = host_now();
        if (!run_to_exit(t))
            return false;
        seconds = host_now() - start;
        mode->insts_per_second = (double)(2 * rounds) / seconds;
    }
    if (!set_state(t, privilege, OUT_CODE, 0))
        return false;
    start = host_now();
    for (int i = 0; i < EXITS; i++) {
        if (!run_to_exit(t))
            return false;
    }
    mode->exit_seconds = (host_now() - start) / EXITS;
    mode->ran = true;
    return true;
}

static bool look_at_cpuid(struct tiny *t)
{
    struct kvm_regs regs;

    if (!set_state(t, 3, CPUID_CODE, 0) || !run_to_exit(t))
        return false;
    if (ioctl(t->vcpu, KVM_GET_REGS, &regs) < 0)
        return failed(t, "KVM_GET_REGS");
    t->out->cpuid_ran = true;
    t->out->cpuid_leaks = (regs.rcx & HIDDEN_LEAF1_ECX) != 0;
    return true;
}

static void try_kvm(void *result)
{
    struct tiny t = {.out = result};

    if (!create(&t))
        return;
    check_capabilities(&t);
    if (measure(&t, 0, &t.out->modes[0]) && measure(&t, 3, &t.out->modes[1]))
        look_at_cpuid(&t);
}

// ---- findings ----

static const char *hardware(void)
{
    unsigned a, b, c = 0, d, extended = 0;

    __get_cpuid(1, &a, &b, &c, &d);
    if (c & 1 << 5)
        return "VT-x";
    __get_cpuid(0x80000001, &a, &b, &extended, &d);
    return extended & 1 << 2 ? "SVM" : NULL;
}

static void add_mode(struct facet_host *host, const char *name, const struct mode *mode)
{
    bool native = mode->insts_per_second > 2e8;
    struct facet_finding *f;

    if (!mode->ran) {
        host_add(host, "kvm", name, FACET_MISSING, "did not run");
        return;
    }
    f = host_add(host, "kvm", name, native ? FACET_GOOD : FACET_LIMITED,
                 "%.4g million instructions/s, %.1f us for an exit", mode->insts_per_second * 1e-6,
                 mode->exit_seconds * 1e6);
    if (!native)
        host_advise(f, "KVM emulates this mode instruction by instruction here");
}

static void add_details(struct facet_host *host, const struct kvm_result *r)
{
    struct facet_finding *f;

    add_mode(host, "kvm.kernel_mode", &r->modes[0]);
    add_mode(host, "kvm.user_mode", &r->modes[1]);
    if (r->cpuid_ran) {
        f = host_add(host, "kvm", "kvm.cpuid", r->cpuid_leaks ? FACET_LIMITED : FACET_GOOD, "%s",
                     r->cpuid_leaks ? "guests see features that were hidden from them"
                                    : "guests see what they are told");
        if (r->cpuid_leaks)
            host_advise(f, "user programs under KVM choose code that other models may not execute");
    }
    host_add(host, "kvm", "kvm.tsc", r->tsc_control ? FACET_GOOD : FACET_LIMITED, "%s",
             r->tsc_control ? "its rate can be set" : "its rate cannot be set");
    host_add(host, "kvm", "kvm.capabilities",
             r->immediate_exit && r->sync_regs && r->irqchip_split ? FACET_GOOD : FACET_LIMITED,
             "immediate_exit %s, sync_regs %s, split_irqchip %s", r->immediate_exit ? "yes" : "no",
             r->sync_regs ? "yes" : "no", r->irqchip_split ? "yes" : "no");
}

static void add_failure(struct facet_host *host, const struct kvm_result *r,
                        const struct host_trial *trial)
{
    struct facet_finding *f;

    if (!trial->returned) {
        host_add(host, "kvm", "kvm.device", FACET_MISSING, "the trial %s",
                 trial->signal ? strsignal(trial->signal) : "could not start");
        return;
    }
    f = host_add(host, "kvm", "kvm.device", FACET_MISSING, "%s: %s", r->step,
                 r->error ? strerror(r->error) : "the guest did not reach its end");
    if (r->error == EACCES)
        host_advise(f, "join the group of /dev/kvm: sudo adduser $USER kvm");
    else if (r->error == ENOENT)
        host_advise(f, "KVM is not there: enable VT-x or SVM in the firmware, load the kvm module; "
                       "only the KVM model misses it");
}

void host_probe_kvm(struct facet_host *host)
{
    struct host_trial trial = host_try(try_kvm, 4);
    const char *extension = hardware();
    struct kvm_result r;

    _Static_assert(sizeof(r) <= sizeof(trial.result), "the result fits");
    memcpy(&r, trial.result, sizeof(r));
    if (!trial.returned || (r.step && !r.modes[0].ran && !r.modes[1].ran)) {
        add_failure(host, &r, &trial);
        return;
    }
    host_add(host, "kvm", "kvm.device", FACET_GOOD, "a machine was made in %.2f ms and ran",
             r.create_seconds * 1e3);
    if (extension)
        host_add(host, "kvm", "kvm.hardware", FACET_GOOD, "%s", extension);
    else
        host_advise(host_add(host, "kvm", "kvm.hardware", FACET_LIMITED,
                             "paravirtual: this processor shows neither VT-x nor SVM"),
                    "kernels of guests will run slowly under KVM");
    add_details(host, &r);
}
