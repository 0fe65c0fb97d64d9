// SPDX-License-Identifier: BSD-3-Clause
// A writer that dies, or whose disk does, at any call: the old checkpoint stays whole, the new one
// is absent or complete. The calls are intercepted by the linker (--wrap); no code of facet knows.
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "checkpoint_help.h"
#include "mem/ram.h"
#include "sim/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

enum fault { NONE, FAIL_ONE, FAIL_REST, HALF_WRITE_THEN_FAIL, SHORT_WRITES, INTERRUPT, DIE };

static struct {
    enum fault fault;
    int error;
    unsigned at, calls; // the call that is hit; calls so far
    // What a power cut would lose.
    bool written[1024], lost, directory_changed;
    unsigned renames;
} host;

// Whether this call is to fail.
static bool hit(void)
{
    unsigned n = host.calls++;
    bool here = n == host.at, after = n >= host.at;

    if (host.fault == DIE && here)
        _exit(42);
    if ((host.fault == FAIL_ONE && here) ||
        ((host.fault == FAIL_REST || host.fault == HALF_WRITE_THEN_FAIL) && after)) {
        errno = host.error;
        return true;
    }
    return false;
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_close(int fd);
int __wrap_close(int fd);
int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

int __wrap_open64(const char *path, int flags, ...)
{
    int fd;
    va_list ap;
    mode_t mode;

    va_start(ap, flags);
    mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    if (hit())
        return -1;
    fd = __real_open64(path, flags, mode);
    if (fd >= 0 && flags & O_CREAT) {
        assert_true(fd < (int)ARRAY_SIZE(host.written));
        host.written[fd] = true;
        host.directory_changed = true;
    }
    return fd;
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    if (host.fault == SHORT_WRITES)
        size = (size + 1) / 2;
    if (host.fault == INTERRUPT && host.calls++ % 2) {
        errno = EINTR;
        return -1;
    }
    if (host.fault == HALF_WRITE_THEN_FAIL && host.calls == host.at && size > 1) {
        host.calls++;
        return __real_write(fd, data, size / 2);
    }
    if (hit())
        return -1;
    if (fd >= 0 && fd < (int)ARRAY_SIZE(host.written))
        host.written[fd] = true;
    return __real_write(fd, data, size);
}

int __wrap_fsync(int fd)
{
    struct stat st;

    if (hit())
        return -1;
    host.written[fd] = false;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        host.directory_changed = false;
    return __real_fsync(fd);
}

int __wrap_close(int fd)
{
    if (fd >= 0 && fd < (int)ARRAY_SIZE(host.written)) {
        host.lost |= host.written[fd];
        host.written[fd] = false;
    }
    return __real_close(fd);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    return hit() ? -1 : __real_mkdir(path, mode);
}

int __wrap_rename(const char *from, const char *to)
{
    // Only what is on the disk may get its final name.
    if (host.lost || host.directory_changed)
        fail_msg("renamed before it was synced");
    if (hit())
        return -1;
    host.renames++;
    return __real_rename(from, to);
}

static void inject(enum fault fault, unsigned at, int error)
{
    memset(&host, 0, sizeof(host));
    host.fault = fault;
    host.at = at;
    host.error = error;
}

struct scene {
    struct sample_machine m;
    char *old, *new; // owned
    u64 hash;        // of the machine that old holds
    struct checkpoint_options options;
};

// An old checkpoint, and a machine that went on from there and is to be saved as its child.
static void scene_init(struct scene *s)
{
    struct rng rng = {5};
    struct error err;

    inject(NONE, 0, 0);
    sample_machine_init(&s->m, 3, "2MiB");
    sample_machine_randomise(&s->m, &rng);
    s->old = scratch("old");
    s->new = scratch("new");
    s->options = (struct checkpoint_options){.parent = s->old};
    must(checkpoint_save(&s->m.sim, s->old, NULL, &err), &err);
    s->hash = sample_machine_hash(&s->m);
    for (u64 at = 0; at < MiB(2); at += 4096)
        ram_bytes(s->m.ram)[at] ^= (u8)rng_next(&rng);
}

static void scene_release(struct scene *s)
{
    inject(NONE, 0, 0);
    must_remove(s->old);
    must_remove(s->new);
    sim_release(&s->m.sim);
    free(s->old);
    free(s->new);
}

static u64 hash_of(const char *path)
{
    struct sample_machine m;
    struct error err;
    u64 h;

    sample_machine_init(&m, 0, "2MiB");
    must(checkpoint_load(&m.sim, path, NULL, &err), &err);
    h = sample_machine_hash(&m);
    sim_release(&m.sim);
    return h;
}

// True when the new checkpoint is there, and then it is complete.
static bool check_disk(struct scene *s)
{
    struct error err;

    inject(NONE, 0, 0);
    must(checkpoint_verify(s->old, &err), &err);
    if (!file_exists(s->new)) {
        assert_int_equal(hash_of(s->old), s->hash);
        return false;
    }
    must(checkpoint_verify(s->new, &err), &err);
    assert_int_equal(hash_of(s->new), sample_machine_hash(&s->m));
    return true;
}

static void a_writer_killed_at_any_call_leaves_all_or_nothing(void **arg)
{
    unsigned died = 0, appeared = 0;
    struct scene s;
    struct error err;

    scene_init(&s);
    for (unsigned at = 0;; at++) {
        AUTO_FREE char *unfinished = NULL;
        int status;
        pid_t child;

        inject(DIE, at, 0);
        child = fork();
        if (child == 0)
            _exit(checkpoint_save(&s.m.sim, s.new, &s.options, &err) ? 0 : 1);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 0)
            break;
        assert_int_equal(WEXITSTATUS(status), 42);
        died++;
        appeared += check_disk(&s);
        must_remove(s.new);
        unfinished = xasprintf("%s.tmp-%d-0", s.new, (int)child);
        must_remove(unfinished);
        assert_int_equal(scratch_entries(), 1);
    }
    assert_true(check_disk(&s));
    assert_true(died > 20);
    // Only the call that syncs the parent directory comes after the rename.
    assert_in_range(appeared, 1, 3);
    scene_release(&s);
}

static void fail_everywhere(enum fault fault, int error, const char *word)
{
    unsigned failed = 0;
    struct scene s;
    struct error err;

    scene_init(&s);
    for (unsigned at = 0;; at++) {
        bool ok, there;
        unsigned calls;

        inject(fault, at, error);
        ok = checkpoint_save(&s.m.sim, s.new, &s.options, &err);
        calls = host.calls;
        there = check_disk(&s);
        // Some calls only make it faster.
        assert_true(there || !ok);
        if (ok && calls <= at)
            break;
        failed += !ok;
        if (!ok) {
            assert_non_null(strstr(err.message, "cannot save checkpoint '"));
            assert_non_null(strstr(err.message, word));
            assert_null(strchr(err.message, '\n'));
        }
        // Unless it is complete, nothing is left behind.
        assert_int_equal(scratch_entries(), there ? 2 : 1);
        must_remove(s.new);
    }
    assert_true(failed > 20);
    scene_release(&s);
}

static void a_full_disk_at_any_call_leaves_all_or_nothing(void **arg)
{
    fail_everywhere(FAIL_ONE, ENOSPC, "No space left on device");
    fail_everywhere(FAIL_REST, ENOSPC, "No space left on device");
    fail_everywhere(HALF_WRITE_THEN_FAIL, ENOSPC, "No space left on device");
}

static void a_broken_disk_at_any_call_leaves_all_or_nothing(void **arg)
{
    fail_everywhere(FAIL_ONE, EIO, "Input/output error");
}

static void short_and_interrupted_writes_do_no_harm(void **arg)
{
    static const enum fault faults[] = {SHORT_WRITES, INTERRUPT};

    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        struct scene s;
        struct error err;

        scene_init(&s);
        inject(faults[i], ~0u, 0);
        must(checkpoint_save(&s.m.sim, s.new, &s.options, &err), &err);
        assert_true(check_disk(&s));
        scene_release(&s);
    }
}

static void every_file_is_synced_once(void **arg)
{
    struct scene s;
    struct error err;

    scene_init(&s);
    inject(NONE, 0, 0);
    must(checkpoint_save(&s.m.sim, s.new, &s.options, &err), &err);
    assert_int_equal(host.renames, 1);
    assert_false(host.lost);
    scene_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_writer_killed_at_any_call_leaves_all_or_nothing),
        cmocka_unit_test(a_full_disk_at_any_call_leaves_all_or_nothing),
        cmocka_unit_test(a_broken_disk_at_any_call_leaves_all_or_nothing),
        cmocka_unit_test(short_and_interrupted_writes_do_no_harm),
        cmocka_unit_test(every_file_is_synced_once),
    };
    struct error err;

    if (!log_set_filter("error", &err))
        return 1;
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
