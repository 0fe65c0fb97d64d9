// SPDX-License-Identifier: BSD-3-Clause
// The one option table. From it come the parser, --help, the man pages, docs/reference/cli.md and
// the shells' completion. After a change: `make update-reference`.
#include "cli/cli.h"

#include <string.h>

// Of every command that runs a machine.
#define MODEL_OPTIONS(command)                                                                     \
    {command,                                                                                      \
     "cpu",                                                                                        \
     "MODEL",                                                                                      \
     "functional",                                                                                 \
     false,                                                                                        \
     "cpu",                                                                                        \
     "CPU model to begin with: functional (exact and fast, a cycle for an instruction), timing "   \
     "(in "                                                                                        \
     "order) or o3 (out of order). The latter two need a processor: --machine, or --config with "  \
     "a "                                                                                          \
     "key 'system'."},                                                                             \
        {command,                                                                                  \
         "machine",                                                                                \
         "NAME",                                                                                   \
         NULL,                                                                                     \
         false,                                                                                    \
         "machine",                                                                                \
         "Built-in description of a processor and its memory: see docs/reference/machines.md."},   \
        {command,                                                                                  \
         "warm",                                                                                   \
         NULL,                                                                                     \
         NULL,                                                                                     \
         false,                                                                                    \
         NULL,                                                                                     \
         "The functional model keeps caches, TLBs and predictors of the processor warm."},         \
        {command,                                                                                  \
         "switch",                                                                                 \
         "MODEL@WHEN,...",                                                                         \
         NULL,                                                                                     \
         false,                                                                                    \
         "switch_at",                                                                              \
         "Change the CPU model: WHEN is a time (1ms), a number of instructions (100kinsts), roi "  \
         "(the "                                                                                   \
         "guest's work begins) or operation (it asks for it). cpu1:o3@1ms changes one CPU only."}, \
        {command,                                                                                  \
         "switch-every",                                                                           \
         "PERIOD",                                                                                 \
         NULL,                                                                                     \
         false,                                                                                    \
         "switch_every",                                                                           \
         "Change all CPUs to another model every PERIOD: a time, or a number of instructions "     \
         "(1insts)."},                                                                             \
    {                                                                                              \
        command, "switch-among", "MODEL,...", "functional,timing,o3", false, "switch_among",       \
            "The models that --switch-every chooses among, at random (--seed)."                    \
    }

static const struct cli_option options[] = {
    {NULL, "help", NULL, NULL, false, NULL, "Show the help of the command and end."},

    {"exec", "stats-file", "FILE", NULL, true, NULL,
     "Write the statistics to FILE when the run ends, however it ends. The name says the format: "
     ".txt (gem5's stats.txt layout), .json or .csv."},
    {"exec", "stats-every", "PERIOD", NULL, false, "stats_every",
     "Also write the statistics of each interval of PERIOD, a time (10us) or a number of "
     "instructions (100kinsts): docs/formats/stats.md."},
    {"exec", "roi", NULL, NULL, false, NULL,
     "Statistics only of what lies between the guest's operations work-begin and work-end."},
    {"exec", "status-file", "FILE", NULL, false, NULL,
     "Write to FILE, as JSON, how the run ended: the program's exit status or signal, or facet's "
     "own error and its class. The way to be certain whose exit status it was."},
    {"exec", "max-insts", "N", NULL, false, "max_insts",
     "End the run after N instructions of all CPUs together (exit code 124). Suffixes k, M, G."},
    {"exec", "cpus", "N", "1", false, "cpus", "Number of simulated CPUs, 1 to 64."},
    MODEL_OPTIONS("exec"),
    {"exec", "cpuid", "LEVEL", "x86-64-v3", false, "cpuid",
     "The instruction set that the guest sees: x86-64-v1, x86-64-v2 or x86-64-v3."},
    {"exec", "mem", "SIZE", "4GiB", false, "mem", "Memory of the guest."},
    {"exec", "quantum", "N", "10000", false, "quantum",
     "Instructions that a CPU runs before the next one has its turn."},
    {"exec", "seed", "N", "1", false, "seed",
     "Seed of everything that is random to the guest: getrandom, RDRAND, RDSEED, AT_RANDOM."},
    {"exec", "root", "DIR", "/", false, NULL,
     "Folder that the guest sees as /; programs, interpreters and libraries come from there."},
    {"exec", "cwd", "DIR", NULL, false, NULL,
     "Working directory of the program, in the guest's view. Without it, the caller's."},
    {"exec", "env", "NAME=VALUE", NULL, true, NULL,
     "Add a variable to the guest's environment, which is small and always the same: the host's "
     "environment does not reach the guest."},
    {"exec", "env-host", NULL, NULL, false, NULL,
     "Pass the host's whole environment to the guest instead of the fixed one."},
    {"exec", "config", "FILE", NULL, true, NULL,
     "Read machine settings from a YAML file. Options of the command line win over it."},
    {"exec", "set", "PATH=VALUE", NULL, true, NULL, "Give one machine setting its value."},
    {"exec", "trace", "WHAT", NULL, true, NULL,
     "insn or insn=FILE: each instruction with its disassembly and register effects, to FILE or "
     "standard error. konata:FILE or o3pipeview:FILE: the pipeline of the o3 model, flushed "
     "instructions included, for Konata (Kanata 0004) or in gem5's format; with several CPUs each "
     "has a file, its number before the last dot."},
    {"exec", "traced", NULL, NULL, false, NULL,
     "Run the engine that emits a record for each instruction, as timing models need it, into a "
     "consumer that only counts them. For benchmarks."},
    {"exec", "log", "SPEC", "warn", false, NULL,
     "Which messages to show: error, warn, info or debug, or WHO=LEVEL pairs separated by commas "
     "(linux=debug,cpu*=info)."},

    {"boot", "kernel", "FILE", NULL, false, NULL,
     "The kernel: a Linux bzImage as distributions ship it, a vmlinux, or a Multiboot or PVH "
     "kernel."},
    {"boot", "initrd", "FILE", NULL, false, NULL, "The initial RAM disk."},
    {"boot", "append", "TEXT", "console=ttyS0 panic=-1", false, NULL, "The kernel's command line."},
    {"boot", "disk", "KEY=VALUE,...", NULL, true, NULL,
     "Add a disk: file=FILE,format=raw or qcow2 (no file is asked what it is). What the guest "
     "writes "
     "is lost at the end, or goes to overlay=FILE. bus=nvme (the default), virtio or virtio-mmio; "
     "readonly."},
    {"boot", "share", "DIR", NULL, true, NULL,
     "Share a folder of the host, read-only: mount -t 9p share0 /mnt in the guest. Or "
     "folder=DIR,tag=NAME,writable."},
    {"boot", "net", "WHAT", "none", true, NULL,
     "Add a network card: user reaches what this host's user reaches (user,forward=tcp:2222:22 "
     "lets "
     "in; user,restricted nothing else). Off by default: what comes from outside is not the same "
     "in "
     "each run."},
    {"boot", "kernel-entry", "HOW", "auto", false, NULL,
     "How the kernel is entered: auto, linux64, pvh or multiboot."},
    {"boot", "cpus", "N", "1", false, "cpus", "Number of simulated CPUs, 1 to 64."},
    {"boot", "mem", "SIZE", "512MiB", false, "mem", "Memory of the guest."},
    MODEL_OPTIONS("boot"),
    {"boot", "cpuid", "LEVEL", "x86-64-v3", false, "cpuid",
     "The instruction set that the guest sees: x86-64-v1, x86-64-v2 or x86-64-v3."},
    {"boot", "clock", "FREQUENCY", "2GHz", false, "clock",
     "Clock of the CPUs and of their time stamp counters."},
    {"boot", "quantum", "N", "10000", false, "quantum",
     "Instructions that a CPU runs before the next one has its turn."},
    {"boot", "seed", "N", "1", false, "seed", "Seed of everything that is random to the guest."},
    {"boot", "max-insts", "N", NULL, false, "max_insts",
     "End the run after N instructions of all CPUs together (exit code 124). Suffixes k, M, G."},
    {"boot", "max-time", "TIME", NULL, false, "max_time",
     "End the run at this simulated time (exit code 124): 10s, 250ms."},
    {"boot", "stuck-after", "TIME", NULL, false, "stuck_after",
     "End the run (exit code 123) when the guest was busy for so much simulated time without "
     "getting "
     "on: no program ran, nothing was written to a device, and the CPUs were never all idle."},
    {"boot", "allow-idle-cpus", NULL, NULL, false, NULL,
     "The run is no failure (exit code 126) when the guest never starts some of its CPUs."},
    {"boot", "guest-file", "FILE", NULL, false, NULL,
     "The file that the guest can read by the operation readfile."},
    {"boot", "guest-folder", "DIR", NULL, false, NULL,
     "The folder into which the guest can write files by the operation writefile."},
    {"boot", "config", "FILE", NULL, true, NULL,
     "Read settings, or the computer's description (a mapping `pc:`), from a YAML file. Options of "
     "the command line win over it."},
    {"boot", "set", "PATH=VALUE", NULL, true, NULL,
     "Give one parameter of the computer its value, or add a component: pc.uart0.char_ticks=87us."},
    {"boot", "gdb", "WHERE", NULL, false, NULL,
     "Serve a debugger (gdb's remote protocol; every CPU is a thread) on a socket, unix:PATH, or "
     "on "
     "a TCP port of 127.0.0.1. Breakpoints and watchpoints are unlimited, and the guest cannot see "
     "them. In gdb: target remote PATH or :PORT; monitor help."},
    {"boot", "wait-gdb", NULL, NULL, false, NULL,
     "With --gdb: begin only when a debugger has connected and lets the guest go."},
    {"boot", "stats-file", "FILE", NULL, true, NULL,
     "Write the statistics to FILE when the run ends, however it ends. The name says the format: "
     ".txt (gem5's stats.txt layout), .json or .csv."},
    {"boot", "stats-every", "PERIOD", NULL, false, "stats_every",
     "Also write the statistics of each interval of PERIOD, a time (10us) or a number of "
     "instructions (100kinsts): docs/formats/stats.md."},
    {"boot", "roi", NULL, NULL, false, NULL,
     "Statistics only of what lies between the guest's operations work-begin and work-end."},
    {"boot", "trace", "FORMAT:FILE", NULL, true, NULL,
     "Trace the pipeline of the o3 model to FILE, flushed instructions included: konata:FILE "
     "(Kanata 0004, for Konata) or o3pipeview:FILE (gem5's). With several CPUs each has a file, "
     "its number before the last dot."},
    {"boot", "status-file", "FILE", NULL, false, NULL,
     "Write to FILE, as JSON, how the run ended."},
    {"boot", "log", "SPEC", "warn", false, NULL,
     "Which messages to show: error, warn, info or debug, or WHO=LEVEL pairs separated by commas "
     "(pc.uart*=debug)."},

    {"boot", "console", "WHERE", "stdio", false, NULL,
     "Where the guest's console is: stdio, file:PATH, or unix:PATH (a socket that somebody "
     "connects "
     "to; what is written before is lost)."},
    {"boot", "virtio-console", "WHERE", NULL, false, NULL,
     "Add a virtio console (hvc0) and say where it is, as --console. The guest's driver is the "
     "module "
     "virtio_console."},
    {"boot", "console-log", "FILE", NULL, false, NULL,
     "Also write the console's lines to FILE, each with the guest's time and the host's, in "
     "seconds."},
    {"restore", "console", "WHERE", "stdio", false, NULL,
     "Where the guest's console is: stdio, file:PATH, or unix:PATH (a socket that somebody "
     "connects "
     "to; what is written before is lost)."},
    {"restore", "virtio-console", "WHERE", NULL, false, NULL,
     "Where the virtio console is that the computer was booted with; without it, nowhere."},
    {"restore", "console-log", "FILE", NULL, false, NULL,
     "Also write the console's lines to FILE, each with the guest's time and the host's, in "
     "seconds."},
    {"boot", "checkpoint-at", "WHEN", NULL, true, NULL,
     "Save a checkpoint when it is that far: a number of instructions (500M), a simulated time "
     "(2s), "
     "console:TEXT (the guest has written TEXT), or work-begin (the guest says so)."},
    {"boot", "checkpoint-every", "WHEN", NULL, false, NULL,
     "Save a checkpoint each time that so many instructions or so much time has passed."},
    {"boot", "checkpoint-dir", "DIR", "checkpoints", false, NULL,
     "Folder of the checkpoints, which are called by their number of instructions. One is also "
     "saved "
     "on SIGUSR1, and when the guest asks for it."},
    {"boot", "checkpoint-incremental", NULL, NULL, false, NULL,
     "Each checkpoint after the first stores only what has changed since the one before."},

    {"restore", "checkpoint-at", "WHEN", NULL, true, NULL,
     "Save a checkpoint when it is that far: a number of instructions (500M), a simulated time "
     "(2s), "
     "console:TEXT (the guest has written TEXT), or work-begin (the guest says so)."},
    {"restore", "checkpoint-every", "WHEN", NULL, false, NULL,
     "Save a checkpoint each time that so many instructions or so much time has passed."},
    {"restore", "checkpoint-dir", "DIR", "checkpoints", false, NULL,
     "Folder of the checkpoints, which are called by their number of instructions. One is also "
     "saved "
     "on SIGUSR1, and when the guest asks for it."},
    {"restore", "checkpoint-incremental", NULL, NULL, false, NULL,
     "Each checkpoint after the first stores only what has changed since the one before."},
    {"restore", "gdb", "WHERE", NULL, false, NULL, "Serve a debugger, as for boot."},
    {"restore", "wait-gdb", NULL, NULL, false, NULL,
     "With --gdb: go on only when a debugger has connected and lets the guest go."},
    MODEL_OPTIONS("restore"),
    {"restore", "max-insts", "N", NULL, false, "max_insts",
     "End the run after N instructions of all CPUs together, since the machine's start (exit code "
     "124)."},
    {"restore", "max-time", "TIME", NULL, false, "max_time",
     "End the run at this simulated time (exit code 124): 10s, 250ms."},
    {"restore", "stuck-after", "TIME", NULL, false, "stuck_after",
     "End the run (exit code 123) when the guest was busy for so much simulated time without "
     "getting "
     "on: no program ran, nothing was written to a device, and the CPUs were never all idle."},
    {"restore", "allow-idle-cpus", NULL, NULL, false, NULL,
     "The run is no failure (exit code 126) when the guest never starts some of its CPUs."},
    {"restore", "guest-file", "FILE", NULL, false, NULL,
     "The file that the guest can read by the operation readfile."},
    {"restore", "guest-folder", "DIR", NULL, false, NULL,
     "The folder into which the guest can write files by the operation writefile."},
    {"restore", "set", "PATH=VALUE", NULL, true, NULL,
     "Say where something of the host is now: pc.disk0.overlay=file."},
    {"restore", "config", "FILE", NULL, true, NULL, "Read such settings from a YAML file."},
    {"restore", "stats-file", "FILE", NULL, true, NULL,
     "Write the statistics to FILE when the run ends, however it ends. They count from the "
     "machine's "
     "start."},
    {"restore", "stats-every", "PERIOD", NULL, false, "stats_every",
     "Also write the statistics of each interval of PERIOD, a time (10us) or a number of "
     "instructions (100kinsts): docs/formats/stats.md."},
    {"restore", "roi", NULL, NULL, false, NULL,
     "Statistics only of what lies between the guest's operations work-begin and work-end."},
    {"restore", "trace", "FORMAT:FILE", NULL, true, NULL,
     "Trace the pipeline of the o3 model to FILE, flushed instructions included: konata:FILE "
     "(Kanata 0004, for Konata) or o3pipeview:FILE (gem5's). With several CPUs each has a file, "
     "its number before the last dot."},
    {"restore", "status-file", "FILE", NULL, false, NULL,
     "Write to FILE, as JSON, how the run ended."},
    {"restore", "log", "SPEC", "warn", false, NULL, "Which messages to show, as for boot."},

    {"checkpoint", "json", NULL, NULL, false, NULL, "Write one JSON document."},
    {"image", "output", "FILE", NULL, false, NULL, "The file to make."},
    {"image", "initramfs", NULL, NULL, false, NULL,
     "Make an initial RAM disk of busybox and files instead of a root file system."},
    {"image", "file", "SRC:DEST[:MODE]", NULL, true, NULL,
     "Put a file or a whole folder of this host into the image, owned by root, with the host's "
     "permissions or MODE (octal). A link SRC is followed. What was there is replaced."},
    {"image", "init", "SCRIPT", NULL, false, NULL,
     "Run this script of the host in the guest when it is up, then switch the guest off. An exit "
     "status other than 0 becomes facet's."},
    {"image", "run", "COMMAND", NULL, false, NULL,
     "The same with a command for the guest's shell."},
    {"image", "kernel-modules", "WHERE", NULL, false, NULL,
     "Where kernel modules come from: a folder, or cloud-amd64 or amd64 for the kernel of 'facet "
     "get debian-kernel'. A root file system gets all of them, an initramfs those of --module."},
    {"image", "module", "NAMES", NULL, true, NULL,
     "Initramfs: load these kernel modules, separated by commas, with what they need. One that is "
     "built into the kernel is fine."},
    {"image", "busybox", "FILE", "/bin/busybox", false, NULL,
     "Initramfs: the statically linked busybox."},
    {"image", "compress", "HOW", NULL, false, NULL,
     "Initramfs: none, gzip or zstd. Without it the name of --output tells: .gz, .zst, else none, "
     "which boots fastest."},
    {"image", "packages", "NAMES", NULL, true, NULL,
     "Root file system: Debian packages, separated by commas, besides the essential ones and "
     "systemd, udev, dbus, kmod and e2fsprogs."},
    {"image", "suite", "NAME", "bookworm", false, NULL, "Root file system: the Debian release."},
    {"image", "mirror", "URL", NULL, false, NULL,
     "Root file system: the Debian server, or a line of sources.list. A server that keeps old "
     "states (snapshot.debian.org) makes an image that can be made again later."},
    {"image", "size", "SIZE", NULL, false, NULL,
     "Root file system: size of the image. Without it, what it takes and a quarter more."},
    {"image", "hostname", "NAME", "facet", false, NULL, "The guest's name."},
    {"image", "cache", "DIR", "~/.cache/facet", false, NULL,
     "Where fetched kernels are kept; the default follows XDG_CACHE_HOME."},

    {"get", "flavour", "NAME", "cloud-amd64", false, NULL, "Which kernel: cloud-amd64 or amd64."},
    {"get", "output", "DIR", NULL, false, NULL,
     "Copy the kernel to this folder. Without it, it is used where it is in the cache."},
    {"get", "pin", "FILE", NULL, false, NULL,
     "A kernel.json of an earlier time: take exactly that package, and refuse other hashes."},
    {"get", "update", NULL, NULL, false, NULL,
     "Ask apt for a newer kernel, even if the cache has one."},
    {"get", "cache", "DIR", "~/.cache/facet", false, NULL,
     "Where fetched kernels are kept; the default follows XDG_CACHE_HOME."},
    {"get", "json", NULL, NULL, false, NULL, "Write one JSON document."},

    {"stats", "threshold", "PERCENT", "0", false, NULL,
     "diff: only what differs by so much, of the larger value."},

    {"doctor", "json", NULL, NULL, false, NULL, "Write one JSON document."},
    {"version", "json", NULL, NULL, false, NULL, "Write one JSON document."},
    {"help", "man", NULL, NULL, false, NULL, "Write the man page (roff) of the topic."},
    {"help", "markdown", NULL, NULL, false, NULL, "Write the reference page."},
};

const struct cli_option *cli_option_next(const struct cli_command *command, size_t *iterator)
{
    while (*iterator < ARRAY_SIZE(options)) {
        const struct cli_option *option = &options[(*iterator)++];

        if (!option->command || strcmp(option->command, command->name) == 0)
            return option;
    }
    return NULL;
}
