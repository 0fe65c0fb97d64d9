// SPDX-License-Identifier: BSD-3-Clause
// The makers of the texts of /proc and /sys: each appends its text to *s. `p` is the process that
// the path names.
#pragma once

#include "base/strbuf.h"
#include "os/linux/synth.h"

typedef void synth_text_fn(struct task *t, struct process *p, struct strbuf *s);

synth_text_fn synth_auxv, synth_cap_last_cap, synth_cmdline, synth_comm, synth_cpu_list,
    synth_cpuinfo, synth_cwd, synth_dev_fd, synth_environ, synth_exe, synth_filesystems,
    synth_hostname, synth_limits, synth_loadavg, synth_maps, synth_max_map_count, synth_meminfo,
    synth_mountinfo, synth_mounts, synth_osrelease, synth_ostype, synth_pid_max, synth_pipe_max,
    synth_root, synth_self, synth_stat_line, synth_statm, synth_status, synth_stderr, synth_stdin,
    synth_stdout, synth_system_stat, synth_thread_self, synth_uptime, synth_uuid, synth_version,
    synth_zero;
