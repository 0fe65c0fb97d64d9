// SPDX-License-Identifier: BSD-3-Clause
// inotify(7): the kernel's part. All of it costs nothing while no program watches.
#pragma once

#include "os/linux/kernel.h"

// A system call is over: what the host has to report goes to those who watch.
void inotify_collect(struct kernel *k);
// Around what the simulator does to a host file for itself: before (done: false) and after.
void inotify_own_access(struct kernel *k, bool done);
// Nothing can run: waits a while for what others on the host do; false: nobody watches.
bool inotify_wait(struct kernel *k);
