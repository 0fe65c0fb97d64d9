// SPDX-License-Identifier: BSD-3-Clause
// The public C API of facet. The command line and every language binding use nothing else.
//
// A machine is made from settings (cpus, memory, CPUID level, seed...), gets one program or boots
// one kernel, is run, and is asked for its statistics. Several machines may live in one process;
// one machine is used by one thread at a time (only facet_machine_stop may be called from anywhere,
// signal handlers included). Functions that can fail return false (or NULL) and fill `*err`, which
// is never NULL; nothing here prints, exits or reads the environment. Strings that are passed in
// are copied; strings that are handed out live as long as the object they came from.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

// ---- errors ----

enum facet_error_code {
    FACET_ERROR_NONE,
    FACET_ERROR_USAGE,          // a call or an option makes no sense
    FACET_ERROR_INPUT,          // a file or value is missing, malformed or inconsistent
    FACET_ERROR_UNSUPPORTED,    // this host lacks what is needed
    FACET_ERROR_RESOURCE,       // no memory, no space, no permission
    FACET_ERROR_HOST,           // any other failed call to the host
    FACET_ERROR_NOT_FOUND,      // the program, or its interpreter, does not exist
    FACET_ERROR_NOT_EXECUTABLE, // the program exists but cannot be run
};

struct facet_error {
    enum facet_error_code code;
    char message[480]; // one sentence, without a trailing newline
};

// ---- version ----

struct facet_version {
    const char *version;  // "0.1.0"
    const char *compiler; // that built this library
    const char *decoder;  // the instruction decoder's version
};

struct facet_version facet_version(void);

// ---- machines ----

struct facet_machine;

// A machine with every setting at its default. Never NULL.
struct facet_machine *facet_machine_new(void);

// Releases everything, after any run or failure; NULL is fine.
void facet_machine_free(struct facet_machine *machine);

// Gives one setting its value, as text with units ("4", "512MiB", "x86-64-v3"). Unknown paths and
// values out of bounds are errors that name the nearest valid path. Only before the program is
// loaded, but for max_insts, which may be raised to run a machine further.
bool facet_machine_set(struct facet_machine *machine, const char *path, const char *value,
                       struct facet_error *err);

// Reads settings from a YAML (or JSON) file; all its errors are reported at once, one per line.
bool facet_machine_read(struct facet_machine *machine, const char *file, struct facet_error *err);

// The settings there are, in a fixed order.
struct facet_setting {
    const char *path;
    const char *doc;
    char initial[64]; // the default, as text
    char choices[96]; // "a|b|c", or empty
};

size_t facet_setting_count(void);
struct facet_setting facet_setting(size_t index);

// ---- programs (Linux user mode) ----

struct facet_program {
    const char *path;        // as given; looked up in the guest's PATH if it has no '/'
    const char *const *argv; // NULL-terminated, argv[0] included
    const char *const *envp; // NULL-terminated "NAME=VALUE"; NULL: the fixed minimal environment
    const char *root;        // folder that the guest sees as "/"; NULL: the host's
    const char *cwd;         // working directory, in the guest's view; NULL: the caller's
};

// Builds the machine and loads the program, ready to run from its first instruction.
bool facet_machine_load(struct facet_machine *machine, const struct facet_program *program,
                        struct facet_error *err);

// The fixed environment that a program gets when none is given, NULL-terminated.
const char *const *facet_default_environment(void);

// ---- whole computers ----

struct facet_boot {
    const char *kernel; // a Linux bzImage, a vmlinux, or a Multiboot or PVH kernel
    const char *entry;  // "auto", "linux64", "pvh" or "multiboot"; NULL: "auto"
    const char *initrd; // NULL: none
    const char *append; // the kernel's command line; NULL: one that uses the first serial port
};

// Builds a computer and loads the kernel, ready to run from its first instruction. Settings that
// were not set are as the board's description has them (512 MiB of memory). Besides them, every
// parameter of its components can be set: "pc.uart0.char_ticks", and components can be added:
// "pc.disk0.type". docs/formats/machine.md
bool facet_machine_boot(struct facet_machine *machine, const struct facet_boot *boot,
                        struct facet_error *err);

// Before it is booted: a disk, as "file=FILE,format=raw|qcow2" and more: "overlay=FILE" takes what
// the guest writes (without it that is lost at the end), "readonly", "bus=nvme|virtio|virtio-mmio"
// (nvme). The image itself is only written with "write_through".
bool facet_machine_add_disk(struct facet_machine *machine, const char *disk,
                            struct facet_error *err);
// Before it is booted: a folder of the host that the guest can mount as 9p, by the tag share0 and
// so on: a path, or "folder=DIR" with "tag=NAME" and "writable".
bool facet_machine_add_share(struct facet_machine *machine, const char *share,
                             struct facet_error *err);

// Before it is booted: a network card; "user" reaches what this host's user reaches ("forward=
// tcp:2222:22" lets in, "restricted" nothing else). What comes from there is not the same in each
// run.
bool facet_machine_add_net(struct facet_machine *machine, const char *net, struct facet_error *err);

// Makes a machine what it was when a checkpoint was saved: the checkpoint says what machine that
// is. Settings of components ("pc.disk0.overlay") may say where things of the host are now; those
// that the guest sees must be as they were. Any number of machines can be restored from one
// checkpoint.
bool facet_machine_restore(struct facet_machine *machine, const char *checkpoint,
                           struct facet_error *err);

// Saves the computer, between two runs, as the directory `path`, which must not exist: it appears
// whole or not at all. With `parent`, an earlier checkpoint of this run, only what has changed
// since is stored; the parent must stay where it is.
bool facet_machine_checkpoint(struct facet_machine *machine, const char *path, const char *parent,
                              struct facet_error *err);
// Host time that the last checkpoint took to save.
double facet_machine_checkpoint_seconds(const struct facet_machine *machine);

// Files that the guest can ask the simulator for (docs/formats/guest-operations.md): the one that
// reads give, and the folder that gets what it writes; NULL: none.
void facet_machine_guest_files(struct facet_machine *machine, const char *read_file,
                               const char *write_folder);

// Serves gdb's remote protocol while the machine runs, to one debugger at a time, on a socket
// ("unix:PATH") or a TCP port of the loopback interface ("1234"; "0": any free one). CPUs are
// threads. With `wait`, the first run begins when a debugger has come and lets it.
bool facet_machine_serve_gdb(struct facet_machine *machine, const char *where, bool wait,
                             struct facet_error *err);
// What the debugger connects to ("unix:PATH", "127.0.0.1:PORT"); NULL: none is served.
const char *facet_machine_gdb_address(const struct facet_machine *machine);

// Where characters go that the guest writes to serial port `port` (0 is the console), or to a
// virtio console: the component pc.hvc0 is port FACET_PORT_VIRTIO, and so on. False: there is none.
typedef void facet_console_fn(void *context, const char *data, size_t size);
enum { FACET_PORT_VIRTIO = 16 };
bool facet_machine_console(struct facet_machine *machine, unsigned port, facet_console_fn *output,
                           void *context);
// Also writes the console's lines to `file`, each with the guest's time and the host's since now,
// in seconds. Call facet_machine_console before.
bool facet_machine_log_console(struct facet_machine *machine, const char *file,
                               struct facet_error *err);
// Characters for the guest; returns how many it took.
size_t facet_machine_type(struct facet_machine *machine, unsigned port, const char *data,
                          size_t size);
// Called by facet_machine_run many times a second, for what comes from outside (a keyboard). With
// `idle_ms` 0 it returns at once; else the guest has nothing to do for that many milliseconds of
// its time, and it may wait as long as that for something to come.
typedef void facet_poll_fn(void *context, unsigned idle_ms);
void facet_machine_on_poll(struct facet_machine *machine, facet_poll_fn *poll, void *context);
// After an end that is no success: registers of all CPUs and the console's last lines, as text.
// Valid until the next call for this machine.
const char *facet_machine_report(struct facet_machine *machine);

// ---- running ----

enum facet_end {
    FACET_END_EXITED,    // the program ended; `status` is its exit status
    FACET_END_KILLED,    // a signal (a computer: the debugger) ended it; `status` is the signal
    FACET_END_LIMIT,     // the limit max_insts was reached
    FACET_END_STOPPED,   // facet_machine_stop; `status` is its argument
    FACET_END_DEADLOCK,  // nothing can ever run again
    FACET_END_EVENT,     // an event, to be looked at (facet_machine_event); run on
    FACET_END_POWER_OFF, // a computer's guest switched it off
    FACET_END_RESET,     // a computer's guest reset it
    FACET_END_PANIC,     // the guest's kernel panicked
    FACET_END_SHUTDOWN,  // triple fault
};

struct facet_result {
    enum facet_end end;
    int status;
    uint64_t insts;     // instructions that all CPUs together have completed
    uint64_t ticks;     // simulated time, 1 ps
    double seconds;     // host time spent in facet_machine_run
    unsigned idle_cpus; // of a computer: CPUs that the guest never started
    char reason[256];   // one sentence about the end
};

// Runs until the program ends, a limit is reached or facet_machine_stop is called.
bool facet_machine_run(struct facet_machine *machine, struct facet_result *ret_result,
                       struct facet_error *err);

// The same with limits of this call, besides those of the settings: instructions since the start,
// and simulated time. UINT64_MAX: none.
bool facet_machine_run_until(struct facet_machine *machine, uint64_t insts, uint64_t ticks,
                             struct facet_result *ret_result, struct facet_error *err);

// What the guest asks its simulator for, or what was watched for.
enum facet_event_kind {
    FACET_EVENT_CONSOLE,     // the watched text has come
    FACET_EVENT_CHECKPOINT,  //
    FACET_EVENT_RESET_STATS, //
    FACET_EVENT_DUMP_STATS,  //
    FACET_EVENT_DUMP_RESET_STATS,
    FACET_EVENT_WORK_BEGIN, // args: work, thread
    FACET_EVENT_WORK_END,   // args: work, thread
    FACET_EVENT_SWITCH_CPU, //
    FACET_EVENT_DEBUG_BREAK,
};

struct facet_event {
    enum facet_event_kind kind;
    uint64_t args[6]; // the guest's
};

// The event that ended the last run with FACET_END_EVENT.
struct facet_event facet_machine_event(const struct facet_machine *machine);
// Ends the run with FACET_EVENT_CONSOLE when the guest has written `text` to its console; once.
void facet_machine_watch_console(struct facet_machine *machine, const char *text);

// Asks a running machine to stop soon; safe in signal handlers and from other threads. A `why` of 0
// leaves the reason that an earlier call gave and the run has not ended for yet.
void facet_machine_stop(struct facet_machine *machine, int why);

// ---- what a run leaves behind ----

// Writes the statistics up to now; the format follows the name: .txt (gem5's stats.txt layout),
// .json or .csv. Works after a run that ended badly, too. The file appears whole or not at all.
bool facet_machine_write_stats(struct facet_machine *machine, const char *file,
                               struct facet_error *err);

// Keeps the statistics up to now as one more dump: text files get all dumps and then the end's
// values, as gem5's stats.txt does; JSON has them as a list. The setting stats_every makes one for
// each interval.
void facet_machine_dump_stats(struct facet_machine *machine);
// Statistics count from here on: of what is counted, not of what is (times, sizes).
void facet_machine_reset_stats(struct facet_machine *machine);

// Whether such a file could be written now: known suffix, existing and writable folder. To be asked
// before a long run.
bool facet_stats_file_check(const char *file, struct facet_error *err);

// A statistics file, read back: of several dumps the last, of intervals the total. A histogram's
// buckets are named by their first value.
struct facet_stat {
    const char *name;
    double value; // NaN: undefined
    bool rounded; // to six decimals: from a text file
};
struct facet_stats;

// NULL and *err on failure.
struct facet_stats *facet_stats_open(const char *file, struct facet_error *err);
void facet_stats_free(struct facet_stats *stats); // NULL is fine
size_t facet_stats_count(const struct facet_stats *stats);
struct facet_stat facet_stats_at(const struct facet_stats *stats, size_t index);

// Traces to `file` ("-" is standard error) while the machine runs. `what` is "insn": a line for
// each instruction with its disassembly and register effects; "konata" or "o3pipeview": the
// pipeline of the out-of-order model, of each CPU to a file of its own. Only before the program is
// loaded.
bool facet_machine_trace(struct facet_machine *machine, const char *what, const char *file,
                         struct facet_error *err);

// ---- checkpoints, as files ----

// What is in one. `problem` says why the rest is not there, or is NULL.
struct facet_checkpoint {
    const char *path, *problem;
    const char *config_digest;          // of the machine's description; may be empty
    const char *digest;                 // of the checkpoint
    const char *parent, *parent_digest; // path from the checkpoint's own; NULL: none
    uint64_t ticks, events;             // simulated time (1 ps); events that had fired
    uint64_t file_bytes, memory_bytes;  // on disk, without its ancestors; of the machine
    size_t components, memories;
};

struct facet_checkpoint_component {
    const char *path, *type;
    uint64_t schema; // fingerprint of the state's declaration
};

// `stored` and `inherited` count bytes before compression: here, and in an ancestor.
struct facet_checkpoint_memory {
    const char *name;
    uint64_t bytes, stored, inherited;
    bool optional;
};

struct facet_checkpoints;

// The checkpoint at `path`, checked but for its memory; NULL and *err when it cannot be used.
struct facet_checkpoints *facet_checkpoints_open(const char *path, struct facet_error *err);
// All that lie in a directory, by name, also those with a problem. NULL and *err when it cannot be
// read.
struct facet_checkpoints *facet_checkpoints_in(const char *directory, struct facet_error *err);
void facet_checkpoints_free(struct facet_checkpoints *list); // NULL is fine
size_t facet_checkpoints_count(const struct facet_checkpoints *list);
struct facet_checkpoint facet_checkpoints_at(const struct facet_checkpoints *list, size_t index);
struct facet_checkpoint_component facet_checkpoints_component(const struct facet_checkpoints *list,
                                                              size_t index, size_t component);
struct facet_checkpoint_memory facet_checkpoints_memory(const struct facet_checkpoints *list,
                                                        size_t index, size_t memory);

// Reads and checks all of a checkpoint and its ancestors; false and *err name what is wrong.
bool facet_checkpoint_verify(const char *path, struct facet_error *err);

// One thing that differs between two checkpoints.
struct facet_difference {
    const char *kind; // "machine", "component", "state", "counter" or "memory"
    const char *name; // of the component or memory; NULL for the machine
    const char *row;  // "tick", "lcr", "fifo[3]" (the first of `elements` that differ); NULL: bytes
    const char *a, *b; // values as text; NULL where there is none
    uint64_t elements;
    uint64_t at, bytes; // for bytes of a memory: whole pages
};

struct facet_checkpoint_diff;

// NULL and *err when one of them cannot be used.
struct facet_checkpoint_diff *facet_checkpoint_diff(const char *a, const char *b,
                                                    struct facet_error *err);
void facet_checkpoint_diff_free(struct facet_checkpoint_diff *diff); // NULL is fine
size_t facet_checkpoint_diff_count(const struct facet_checkpoint_diff *diff);
struct facet_difference facet_checkpoint_diff_at(const struct facet_checkpoint_diff *diff,
                                                 size_t index);
// Pages of 4 KiB that differ, also where there are too many to list.
uint64_t facet_checkpoint_diff_pages(const struct facet_checkpoint_diff *diff);
// ---- images and kernels for guests ----

enum facet_image_kind {
    FACET_IMAGE_INITRAMFS, // an initial RAM disk of busybox and files
    FACET_IMAGE_ROOT,      // an ext4 root file system of Debian packages and files
};

// Members that are NULL or 0 take their defaults. The same request gives the same bytes, on the
// same packages and programs of the host.
struct facet_image {
    enum facet_image_kind kind;
    const char *output;       // the file to make; it appears whole or not at all
    const char *const *files; // NULL-terminated "SRC:DEST[:MODE]"; NULL: none
    const char *init;         // script of the host to run in the guest, which is then switched off
    const char *run;          // the same as a command for the guest's shell
    const char *modules_from; // folder with kernel modules; NULL: no modules
    const char *hostname;     // NULL: "facet"
    const char *guest_tool;   // facet-guest on the host; NULL: not in the image
    uint64_t epoch;           // time of all files, in seconds since 1970; 0: 2026-01-01

    // initramfs
    const char *modules;     // names of modules to load, separated by commas
    const char *busybox;     // a statically linked one; NULL: the host's
    const char *compression; // "none", "gzip", "zstd"; NULL: by the name of `output`

    // root file system
    const char *packages; // names of Debian packages, separated by commas
    const char *suite;    // NULL: "bookworm"
    const char *mirror;   // NULL: Debian's
    const char *size;     // "1GiB"; NULL: what it takes, and some room
};

bool facet_image_build(const struct facet_image *image, struct facet_error *err);

struct facet_kernel_request {
    const char *flavour; // of Debian's kernel: "cloud-amd64" or "amd64"; NULL: "cloud-amd64"
    const char *cache;   // folder that keeps what was fetched
    const char *output;  // folder to copy the kernel to; NULL: it is used where it is in the cache
    const char *pin;     // a kernel.json that the kernel must agree with; NULL: any
    bool update;         // ask apt for a newer one, even if the cache has one
};

struct facet_kernel {
    char package[128]; // "linux-image-6.1.0-50-cloud-amd64"
    char version[64];  // of the package
    char release[128]; // as uname -r says
    char deb_sha256[65];
    char vmlinuz_sha256[65];
    char folder[4096]; // has vmlinuz, config, System.map, lib/modules and kernel.json
};

// Fetches Debian's kernel through apt, unless it is in the cache.
bool facet_kernel_get(const struct facet_kernel_request *request, struct facet_kernel *ret_kernel,
                      struct facet_error *err);

// ---- log ----

// Which log messages come out, for the whole process: "LEVEL" or comma-separated "WHO=LEVEL" with
// shell patterns ("linux=debug,cpu*=info"); levels are error, warn, info and debug.
bool facet_log_configure(const char *spec, struct facet_error *err);

// ---- the host ----

enum facet_verdict { FACET_GOOD, FACET_LIMITED, FACET_MISSING };

// One thing that facet tried on this host.
struct facet_finding {
    const char *area; // "kvm", "cpu", "memory", "limits", "perf"
    const char *name; // stable key, "kvm.user_mode"
    enum facet_verdict verdict;
    bool needed;      // without it, programs cannot run here
    char value[128];  // what was found
    char advice[192]; // what it means or how to mend it; empty if nothing needs saying
};

struct facet_host;

// Tries everything (about a second) and never fails as a whole. Free with facet_host_free.
struct facet_host *facet_host_probe(void);
void facet_host_free(struct facet_host *host);
size_t facet_host_finding_count(const struct facet_host *host);
const struct facet_finding *facet_host_finding(const struct facet_host *host, size_t index);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
