// SPDX-License-Identifier: BSD-3-Clause
// Runs a guest under the host's KVM, if there is one and it can.
#include "kvm.h"

#include "isa/x86/cpuid.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/kvm.h>

enum { RUN_MILLISECONDS = 500 };

static bool refuse(char why[160], const char *what)
{
    snprintf(why, 160, "%s: %s", what, strerror(errno));
    return false;
}

void vm_release(struct vm *v)
{
    if (v->run && v->run != MAP_FAILED)
        munmap(v->run, v->run_bytes);
    if (v->cpu >= 0)
        close(v->cpu);
    if (v->vm >= 0)
        close(v->vm);
    if (v->kvm >= 0)
        close(v->kvm);
    if (v->ram && v->ram != MAP_FAILED)
        munmap(v->ram, GUEST_RAM);
}

static bool show_supported_cpuid(struct vm *v)
{
    enum { ENTRIES = 200 };
    struct kvm_cpuid2 *table = calloc(1, sizeof(*table) + ENTRIES * sizeof(table->entries[0]));
    bool ok;

    table->nent = ENTRIES;
    ok = ioctl(v->kvm, KVM_GET_SUPPORTED_CPUID, table) == 0;
    for (u32 i = 0; ok && i < table->nent; i++) // physical addresses as long as facet's
        if (table->entries[i].function == 0x80000008)
            table->entries[i].eax = (table->entries[i].eax & ~0xffu) | X86_MAXPHYADDR;
    ok = ok && ioctl(v->cpu, KVM_SET_CPUID2, table) == 0;
    free(table);
    return ok;
}

bool vm_create(struct vm *v, char why[160])
{
    *v = (struct vm){.kvm = -1, .vm = -1, .cpu = -1};
    v->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (v->kvm < 0)
        return refuse(why, "/dev/kvm");
    v->vm = ioctl(v->kvm, KVM_CREATE_VM, 0);
    if (v->vm < 0)
        return refuse(why, "KVM_CREATE_VM");
    v->ram = mmap(NULL, GUEST_RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct kvm_userspace_memory_region region = {.memory_size = GUEST_RAM,
                                                 .userspace_addr = (u64)(uintptr_t)v->ram};
    if (v->ram == MAP_FAILED || ioctl(v->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
        return refuse(why, "KVM_SET_USER_MEMORY_REGION");
    v->cpu = ioctl(v->vm, KVM_CREATE_VCPU, 0);
    if (v->cpu < 0)
        return refuse(why, "KVM_CREATE_VCPU");
    v->run_bytes = (size_t)ioctl(v->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    v->run = mmap(NULL, v->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, v->cpu, 0);
    if (v->run == MAP_FAILED || !show_supported_cpuid(v))
        return refuse(why, "vCPU");
    return true;
}

static struct kvm_segment segment(u16 sel, u8 type, bool l, bool db)
{
    return (struct kvm_segment){.limit = 0xffffffff,
                                .selector = sel,
                                .type = type,
                                .present = 1,
                                .s = 1,
                                .l = l,
                                .db = db,
                                .g = 1};
}

static bool begin(struct vm *v, enum guest_mode mode)
{
    struct kvm_sregs s;
    struct kvm_regs regs = {.rip = GUEST_LOAD, .rflags = 2};

    if (ioctl(v->cpu, KVM_GET_SREGS, &s) < 0)
        return false;
    s.gdt.base = GUEST_GDT;
    s.gdt.limit = 0x6f;
    s.idt.limit = mode == GUEST_REAL ? 0x3ff : 0;
    regs.rsp = mode == GUEST_REAL ? 0x5000 : GUEST_STACK;
    if (mode == GUEST_REAL) {
        s.cs.base = s.cs.selector = 0;
    } else {
        s.cr0 = 0x31;
        s.cs = segment(mode == GUEST_LONG ? 8 : 0x30, 11, mode == GUEST_LONG, mode != GUEST_LONG);
        s.ds = s.es = s.fs = s.gs = s.ss = segment(0x10, 3, false, true);
    }
    if (mode == GUEST_LONG) {
        s.cr0 |= 0x80000000;
        s.cr3 = GUEST_TABLES;
        s.cr4 = 0x20;
        s.efer = 0xd01;
    }
    return ioctl(v->cpu, KVM_SET_SREGS, &s) == 0 && ioctl(v->cpu, KVM_SET_REGS, &regs) == 0;
}

static void on_alarm(int sig)
{
}

static void set_alarm(u32 ms)
{
    struct sigaction act = {.sa_handler = on_alarm};
    struct itimerval t = {.it_value = {.tv_usec = ms * 1000}};

    sigaction(SIGALRM, &act, NULL);
    setitimer(ITIMER_REAL, &t, NULL);
}

static void cannot_emulate(const struct vm *v, struct guest_result *r)
{
    struct kvm_regs regs = {0};
    const u8 *p;

    ioctl(v->cpu, KVM_GET_REGS, &regs);
    p = v->ram + regs.rip % (GUEST_RAM - 8);
    snprintf(r->why, sizeof(r->why),
             "KVM cannot emulate an instruction (%u at %#llx: %02x %02x %02x %02x)",
             v->run->internal.suberror, (unsigned long long)regs.rip, p[0], p[1], p[2], p[3]);
}

static bool run(struct vm *v, struct guest_result *r)
{
    for (;;) {
        struct kvm_run *k = v->run;

        if (ioctl(v->cpu, KVM_RUN, 0) < 0) {
            if (errno == EINTR)
                snprintf(r->why, sizeof(r->why), "no end after %d ms", RUN_MILLISECONDS);
            else
                refuse(r->why, "KVM_RUN");
            return false;
        }
        switch (k->exit_reason) {
        case KVM_EXIT_HLT:
            r->end = GUEST_HALTED;
            return true;
        case KVM_EXIT_SHUTDOWN:
            r->end = GUEST_SHUT_DOWN;
            return true;
        case KVM_EXIT_IO:
            if (k->io.direction == KVM_EXIT_IO_IN)
                memset((u8 *)k + k->io.data_offset, 0xff, (size_t)k->io.size * k->io.count);
            break;
        case KVM_EXIT_INTERNAL_ERROR:
            cannot_emulate(v, r);
            return false;
        case KVM_EXIT_MMIO:
            snprintf(r->why, sizeof(r->why), "KVM leaves RAM at %#llx",
                     (unsigned long long)k->mmio.phys_addr);
            return false;
        default:
            snprintf(r->why, sizeof(r->why), "exit reason %u", k->exit_reason);
            return false;
        }
    }
}

bool guest_run_kvm(const struct guest_case *g, struct guest_result *ret)
{
    struct vm v;
    bool ok;

    memset(ret, 0, sizeof(*ret));
    ok = vm_create(&v, ret->why);
    if (ok) {
        guest_prepare(g, v.ram);
        ok = begin(&v, g->mode) || refuse(ret->why, "KVM_SET_SREGS");
    }
    if (ok) {
        set_alarm(RUN_MILLISECONDS);
        ok = run(&v, ret);
        set_alarm(0);
        memcpy(ret->words, v.ram + GUEST_RESULTS, sizeof(ret->words));
    }
    vm_release(&v);
    return ok;
}
