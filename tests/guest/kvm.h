// SPDX-License-Identifier: BSD-3-Clause
// A virtual machine of the host's KVM with one CPU and GUEST_RAM bytes of memory.
#pragma once

#include "guest.h"

struct vm {
    int kvm, vm, cpu;
    u8 *ram;
    struct kvm_run *run;
    size_t run_bytes;
};

// False and a reason in `why` if there is no KVM; vm_release must be called in any case.
bool vm_create(struct vm *v, char why[160]);
void vm_release(struct vm *v);
