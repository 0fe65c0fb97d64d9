// SPDX-License-Identifier: BSD-3-Clause
// How the native child enters and leaves a case (native_asm.S). All registers belong to the case,
// so what must survive it lies at a fixed address.
#pragma once

#define NATIVE_CONTROL 0x10001000 // the page behind CASE_STUB
#define NATIVE_IRET 0x00
#define NATIVE_HOST_RSP 0x28
#define NATIVE_HOST_FS 0x30
#define NATIVE_HOST_GS 0x38
#define NATIVE_FS 0x40
#define NATIVE_GS 0x48
#define NATIVE_SEL 0x50 // ES, CS, SS, DS, FS, GS
#define NATIVE_MXCSR 0x60
#define NATIVE_BY_KERNEL 0x64
#define NATIVE_GPR 0x80
#define NATIVE_RFLAGS 0x100
#define NATIVE_XSAVE 0x140
#define NATIVE_SIGNAL_FS 0x480
#define NATIVE_SIGNAL_GS 0x488
#define NATIVE_SIGNAL_SEL 0x490
#define NATIVE_STACK 0x1000 // top

#ifndef __ASSEMBLER__
#include "case.h"

struct native_control {
    struct {
        u64 rip, cs, rflags, rsp, ss;
    } iret;
    u64 host_rsp, host_fs, host_gs;
    u64 fs, gs;
    u16 sel[8];
    u32 mxcsr;
    u32 by_kernel;            // this kernel sets segment bases, programs cannot
    u64 kernel_fs, kernel_gs; // by_kernel: what it was asked for last
    u64 pad1;
    u64 gpr[16];
    u64 rflags;
    u64 pad2[7];
    struct case_xsave x;
    u64 signal_fs, signal_gs; // as the signal found them
    u16 signal_sel[8];        //
    // The kernel's word on an exception.
    u64 rip, address;
    u32 trapno, error;
    u32 end; // enum case_end
    u32 running;
    u32 ticks; // of the watchdog that this case has seen
};

_Static_assert(offsetof(struct native_control, host_rsp) == NATIVE_HOST_RSP, "");
_Static_assert(offsetof(struct native_control, sel) == NATIVE_SEL, "");
_Static_assert(offsetof(struct native_control, mxcsr) == NATIVE_MXCSR, "");
_Static_assert(offsetof(struct native_control, by_kernel) == NATIVE_BY_KERNEL, "");
_Static_assert(offsetof(struct native_control, gpr) == NATIVE_GPR, "");
_Static_assert(offsetof(struct native_control, rflags) == NATIVE_RFLAGS, "");
_Static_assert(offsetof(struct native_control, x) == NATIVE_XSAVE, "");
_Static_assert(offsetof(struct native_control, signal_fs) == NATIVE_SIGNAL_FS, "");
_Static_assert(offsetof(struct native_control, signal_sel) == NATIVE_SIGNAL_SEL, "");
_Static_assert(sizeof(struct native_control) < 0x800, "the stack of the way out lies behind");

// Runs the case in NATIVE_CONTROL; comes back through native_exit or native_leave.
void native_enter(void);
// Where CASE_STUB jumps to: saves the state.
void native_exit(void);
// The signal handler.
void native_signal(int sig, void *info, void *context);
// Called by it, on the host's FS base unless by_kernel. True: the case is over; false: go on with
// it.
int native_record(int sig, void *info, void *context);
// by_kernel: the bases of the case, from native_control.fs and .gs.
void native_put_bases(void);
// Likewise: the bases that there are, to ret[0] and ret[1].
void native_take_bases(u64 *ret);
#endif
