// SPDX-License-Identifier: BSD-3-Clause
// Disks over raw images: where writes go, what survives, checkpoints.
#include "dev/disk_test.h"

#include "base/hash.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

// Not a whole number of clusters.
#define SIZE (KiB(64) * 40 + 4096)

// fork, for a child in which a failed assertion ends the process.
static pid_t fork_child(void)
{
    pid_t child = fork();

    if (child == 0)
        setenv("CMOCKA_TEST_ABORT", "1", 1);
    return child;
}

static u8 *make_base(u64 seed)
{
    u8 *bytes = random_bytes(SIZE, seed);

    write_file("base", bytes, SIZE);
    return bytes;
}

static void expect_file(const char *name, const void *bytes, size_t size)
{
    AUTO(strbuf) struct strbuf text = {0};
    struct error err;

    must(file_read(in_folder(name), GiB(1), &text, &err), &err);
    assert_int_equal(text.length, size);
    assert_memory_equal(text.text, bytes, size);
}

// The same random writes and zeroings to the disk and to a copy in memory.
static void scribble(struct machine *m, u8 *copy, struct rng *rng, int rounds)
{
    static u8 data[KiB(256)];
    struct error err;

    for (int i = 0; i < rounds; i++) {
        u64 at = rng_below(rng, SIZE / 512), most = MIN(SIZE / 512 - at, 512);
        u64 size = (1 + rng_below(rng, rng_below(rng, 2) ? MIN(most, 16) : most)) * 512;

        at *= 512;
        if (rng_below(rng, 4) == 0) {
            must(block(m)->zero(m->disk, at, size, &err), &err);
            memset(copy + at, 0, size);
            continue;
        }
        for (u64 k = 0; k < size; k += 8)
            memcpy(data + k, &(u64){rng_next(rng)}, 8);
        memcpy(copy + at, data, size);
        disk_put(m, at, data, size);
    }
}

static void reads_are_the_image(void **arg)
{
    AUTO_FREE u8 *base = make_base(1);
    struct machine m;
    struct error err;
    u8 sector[512];

    machine_init(&m, "file", in_folder("base"), NULL);
    assert_int_equal(block(&m)->size(m.disk), SIZE);
    assert_false(block(&m)->read_only(m.disk));
    disk_expect(&m, 0, base, SIZE);
    disk_expect(&m, SIZE - 512, base + SIZE - 512, 512);
    assert_false(block(&m)->read(m.disk, SIZE, sector, 512, &err));
    assert_false(block(&m)->read(m.disk, 100, sector, 512, &err));
    assert_false(block(&m)->read(m.disk, ~(u64)511, sector, 512, &err));
    machine_release(&m);
}

static void an_odd_size_is_padded_with_zeros(void **arg)
{
    u8 bytes[1000], expected[1024] = {0};
    struct machine m;

    memset(bytes, 0x5a, sizeof(bytes));
    memcpy(expected, bytes, sizeof(bytes));
    write_file("odd", bytes, sizeof(bytes));
    machine_init(&m, "file", in_folder("odd"), NULL);
    assert_int_equal(block(&m)->size(m.disk), 1024);
    disk_expect(&m, 0, expected, 1024);
    machine_release(&m);
    machine_refused("not a multiple of 512", "file", in_folder("odd"), "write_through", "true",
                    NULL);
}

static void writes_stay_in_memory_and_the_image_is_untouched(void **arg)
{
    AUTO_FREE u8 *base = make_base(2);
    AUTO_FREE u8 *copy = xcalloc(SIZE, 1);
    struct rng rng = {1};
    struct machine m;

    memcpy(copy, base, SIZE);
    machine_init(&m, "file", in_folder("base"), NULL);
    for (int i = 0; i < 20; i++) {
        scribble(&m, copy, &rng, 20);
        disk_expect(&m, 0, copy, SIZE);
    }
    // A reset of the machine is no loss of data.
    sim_reset(&m.sim);
    disk_expect(&m, 0, copy, SIZE);
    machine_release(&m);
    expect_file("base", base, SIZE);
}

static void write_through_changes_the_image(void **arg)
{
    AUTO_FREE u8 *copy = make_base(3);
    struct rng rng = {2};
    struct machine m;
    struct error err;

    machine_init(&m, "file", in_folder("base"), "write_through", "true", NULL);
    scribble(&m, copy, &rng, 100);
    disk_expect(&m, 0, copy, SIZE);
    must(block(&m)->flush(m.disk, &err), &err);
    // Nobody else may use it meanwhile; nor can a checkpoint hold it.
    machine_refused("in use by another machine", "file", in_folder("base"), NULL);
    assert_false(checkpoint_save(&m.sim, in_folder("none"), NULL, &err));
    assert_non_null(strstr(err.message, "write_through"));
    machine_release(&m);
    expect_file("base", copy, SIZE);
}

static void a_read_only_disk_refuses_writes(void **arg)
{
    AUTO_FREE u8 *base = make_base(4);
    struct machine m, again;
    struct error err;

    machine_init(&m, "file", in_folder("base"), "readonly", "true", NULL);
    assert_true(block(&m)->read_only(m.disk));
    assert_false(block(&m)->write(m.disk, 0, base, 512, &err));
    assert_string_equal(err.message, "the disk is read-only");
    assert_false(block(&m)->zero(m.disk, 0, 512, &err));
    assert_true(block(&m)->flush(m.disk, &err));
    disk_expect(&m, 0, base, SIZE);
    must(checkpoint_save(&m.sim, in_folder("readonly"), NULL, &err), &err);
    machine_init(&again, "file", in_folder("base"), "readonly", "true", NULL);
    must(checkpoint_load(&again.sim, in_folder("readonly"), NULL, &err), &err);
    disk_expect(&again, 0, base, SIZE);
    machine_release(&again);
    machine_release(&m);
}

static void parameters_that_contradict_are_refused(void **arg)
{
    AUTO_FREE u8 *base = make_base(5);

    (void)base; // owned until the end
    machine_refused("exclude each other", "file", in_folder("base"), "readonly", "true",
                    "write_through", "true", NULL);
    machine_refused("no overlay", "file", in_folder("base"), "readonly", "true", "overlay",
                    in_folder("x"), NULL);
    machine_refused("raw images only", "file", in_folder("base"), "format", "qcow2",
                    "write_through", "true", NULL);
    machine_refused("cannot open", "file", in_folder("missing"), NULL);
    machine_refused("neither a file nor", "file", folder, NULL);
    machine_refused("no qcow2 file", "file", in_folder("base"), "format", "qcow2", NULL);
    machine_refused("'file' must be given", NULL);
    write_file("empty", "", 0);
    machine_refused("is empty", "file", in_folder("empty"), NULL);
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    machine_refused("neither a file nor", "file", in_folder("pipe"), NULL);
}

static void an_overlay_file_keeps_writes_from_run_to_run(void **arg)
{
    AUTO_FREE u8 *base = make_base(6);
    AUTO_FREE u8 *copy = xcalloc(SIZE, 1);
    struct rng rng = {3};
    struct machine m;

    memcpy(copy, base, SIZE);
    for (int i = 0; i < 10; i++) {
        machine_init(&m, "file", in_folder("base"), "overlay", in_folder("keep"), NULL);
        disk_expect(&m, 0, copy, SIZE);
        scribble(&m, copy, &rng, 15);
        disk_expect(&m, 0, copy, SIZE);
        machine_release(&m);
    }
    expect_file("base", base, SIZE);
}

static void an_overlay_file_belongs_to_one_machine_and_one_image(void **arg)
{
    AUTO_FREE u8 *base = make_base(7);
    struct machine a, b;
    struct error err;
    u8 sector[512];

    machine_init(&a, "file", in_folder("base"), "overlay", in_folder("own"), NULL);
    machine_init(&b, "file", in_folder("base"), "overlay", in_folder("own"), NULL);
    assert_false(block(&b)->read(b.disk, 0, sector, 512, &err));
    assert_non_null(strstr(err.message, "in use by another machine"));
    assert_false(block(&b)->write(b.disk, 0, sector, 512, &err));
    disk_put(&a, 512, base, 512);
    machine_release(&a);
    // Now it is free, and what the other one wrote is there.
    disk_expect(&b, 512, base, 512);
    machine_release(&b);

    base[5000] ^= 1;
    write_file("base", base, SIZE);
    machine_refused("is of another image", "file", in_folder("base"), "overlay", in_folder("own"),
                    NULL);
    write_file("base2", base, SIZE);
    machine_refused("is no overlay", "file", in_folder("base"), "overlay", in_folder("base2"),
                    NULL);
    machine_refused("cannot open the overlay", "file", in_folder("base"), "overlay",
                    in_folder("no/such"), NULL);
}

// Rewrites a field of an overlay's header, with a good hash.
static void patch_header(const char *name, unsigned at, u32 value)
{
    AUTO(strbuf) struct strbuf text = {0};
    struct error err;
    u64 hash;

    must(file_read(in_folder(name), GiB(1), &text, &err), &err);
    memcpy(text.text + at, &value, sizeof(value));
    hash = hash64(text.text, 56);
    memcpy(text.text + 56, &hash, sizeof(hash));
    write_file(name, text.text, text.length);
}

static void a_damaged_overlay_is_refused(void **arg)
{
    AUTO_FREE u8 *base = make_base(8);
    AUTO(strbuf) struct strbuf good = {0};
    struct machine m;
    struct error err;

    machine_init(&m, "file", in_folder("base"), "overlay", in_folder("o"), NULL);
    disk_put(&m, 0, base, KiB(128));
    machine_release(&m);
    must(file_read(in_folder("o"), GiB(1), &good, &err), &err);

#define REFUSED(part) \
    machine_refused(part, "file", in_folder("base"), "overlay", in_folder("o"), NULL)
    good.text[20] ^= 1;
    write_file("o", good.text, good.length);
    REFUSED("its header's hash differs");
    good.text[20] ^= 1;
    write_file("o", good.text, good.length);
    patch_header("o", 8, 2);
    REFUSED("version 2 of the format");
    write_file("o", good.text, good.length);
    patch_header("o", 32, 512);
    REFUSED("wrong layout");
    write_file("o", good.text, 60);
    REFUSED("ends early");
    write_file("o", good.text, good.length - 1);
    REFUSED("cluster 1 lies beyond the end");
    memcpy(good.text + 4096 + 4, &(u32){2}, 4);
    write_file("o", good.text, good.length);
    REFUSED("cluster 1 shares the data of another one");
    memcpy(good.text + 4096 + 4, &(u32){0xffffffff}, 4);
    write_file("o", good.text, good.length);
    REFUSED("cluster 1 lies beyond the end");
#undef REFUSED
}

// Writes round after round, the same number into a random cluster each time, and tells after each
// flush up to where.
static void write_until_killed(int tell, u64 seed)
{
    struct machine m;
    struct rng rng = {seed};
    struct error err;
    static u64 data[KiB(64) / 8];

    machine_init(&m, "file", in_folder("base"), "overlay", in_folder("killed"), NULL);
    for (u64 round = 1;; round++) {
        u64 cluster = rng_below(&rng, 40);

        for (size_t k = 0; k < ARRAY_SIZE(data); k++)
            data[k] = round;
        disk_put(&m, cluster * KiB(64), data, KiB(64));
        if (rng_below(&rng, 4) == 0) {
            must(block(&m)->flush(m.disk, &err), &err);
            if (write(tell, &round, sizeof(round)) != sizeof(round))
                break;
        }
    }
}

static void what_was_flushed_survives_a_kill(void **arg)
{
    static u64 data[KiB(64) / 8];

    for (u64 seed = 0; seed < 25; seed++) {
        AUTO_FREE u8 *base = make_base(9);
        struct rng rng = {seed};
        struct machine m;
        struct error err;
        u64 flushed = 0, last[40] = {0};
        int ends[2];
        pid_t child;

        unlink(in_folder("killed"));
        assert_int_equal(pipe(ends), 0);
        child = fork_child();
        if (child == 0) {
            close(ends[0]);
            write_until_killed(ends[1], seed);
            _exit(1);
        }
        close(ends[1]);
        for (u64 k = 0; k < 1 + seed * 3; k++)
            assert_int_equal(read(ends[0], &flushed, sizeof(flushed)), sizeof(flushed));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(ends[0], &flushed, sizeof(flushed)) == sizeof(flushed))
            ;
        close(ends[0]);

        for (u64 round = 1; round <= flushed; round++) {
            last[rng_below(&rng, 40)] = round;
            rng_below(&rng, 4);
        }
        machine_init(&m, "file", in_folder("base"), "overlay", in_folder("killed"), NULL);
        for (u64 c = 0; c < 40; c++) {
            must(block(&m)->read(m.disk, c * KiB(64), data, KiB(64), &err), &err);
            if (!last[c] && memcmp(data, base + c * KiB(64), KiB(64)) == 0)
                continue;
            // What was written after the last flush may be there.
            assert_true(data[0] >= last[c] && data[0] < flushed + 1000);
        }
        // Slots that no entry names are used again.
        memset(data, 7, sizeof(data));
        for (u64 c = 0; c < 40; c++)
            disk_put(&m, c * KiB(64), data, KiB(64));
        for (u64 c = 0; c < 40; c++)
            disk_expect(&m, c * KiB(64), data, KiB(64));
        machine_release(&m);
    }
}

// Fills an overlay until the host refuses; then nothing is lost and it goes on when there is room.
static void fill_overlay(struct machine *m, u8 *copy, const char *message)
{
    struct error err = {0};
    u64 at = 0;
    static u8 data[KiB(64)];

    memset(data, 0x77, sizeof(data));
    for (; at + KiB(64) <= SIZE; at += KiB(64)) {
        if (!block(m)->write(m->disk, at, data, KiB(64), &err))
            break;
        memcpy(copy + at, data, KiB(64));
    }
    assert_true(at + KiB(64) <= SIZE);
    assert_int_equal(err.code, ERROR_RESOURCE);
    if (!strstr(err.message, message))
        fail_msg("%s", err.message);
    disk_expect(m, 0, copy, SIZE);
    assert_false(block(m)->write(m->disk, at, data, KiB(64), &err));
    must(block(m)->flush(m->disk, &err), &err);
    disk_expect(m, 0, copy, SIZE);
}

static void a_full_host_disk_fails_the_write_and_nothing_else(void **arg)
{
    AUTO_FREE u8 *copy = make_base(10);
    struct machine m;
    pid_t child = fork_child();
    int status;

    if (child == 0) {
        // A small file system of one's own, where that is allowed.
        if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mkdir(in_folder("small"), 0700) < 0 ||
            mount("none", in_folder("small"), "tmpfs", 0, "size=1m") < 0)
            _exit(77);
        machine_init(&m, "file", in_folder("base"), "overlay", in_folder("small/o"), NULL);
        fill_overlay(&m, copy, "No space left on device");
        machine_release(&m);
        machine_init(&m, "file", in_folder("base"), "overlay", in_folder("small/o"), NULL);
        disk_expect(&m, 0, copy, SIZE);
        machine_release(&m);
        _exit(0);
    }
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(status, 0);
}

static void a_limit_of_file_sizes_fails_the_write_and_nothing_else(void **arg)
{
    AUTO_FREE u8 *copy = make_base(10);
    struct rlimit limit;
    struct machine m;
    pid_t child = fork_child();
    int status;

    if (child == 0) {
        struct error err;
        u8 *data = copy;

        signal(SIGXFSZ, SIG_IGN);
        getrlimit(RLIMIT_FSIZE, &limit);
        limit.rlim_cur = MiB(1) + 100;
        setrlimit(RLIMIT_FSIZE, &limit);
        machine_init(&m, "file", in_folder("base"), "overlay", in_folder("limited"), NULL);
        for (u64 at = 0; at < SIZE && block(&m)->write(m.disk, at, data + at, 4096, &err);
             at += KiB(64))
            ;
        if (!strstr(err.message, "File too large"))
            _exit(2);
        disk_expect(&m, 0, copy, SIZE);
        machine_release(&m);
        machine_init(&m, "file", in_folder("base"), "overlay", in_folder("limited"), NULL);
        disk_expect(&m, 0, copy, SIZE);
        _exit(0);
    }
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

static void restore_side_by_side(const char *overlay)
{
    AUTO_FREE u8 *base = make_base(11);
    AUTO_FREE u8 *at_checkpoint = xcalloc(SIZE, 1);
    AUTO_FREE u8 *later = xcalloc(SIZE, 1);
    AUTO_FREE u8 *other = xcalloc(SIZE, 1);
    const char *path = xasprintf("%s/checkpoint%s", folder, overlay);
    struct machine m, a, b;
    struct rng rng = {4};
    struct error err;
    const char *file = overlay[0] ? in_folder(overlay) : "";

    memcpy(at_checkpoint, base, SIZE);
    machine_init(&m, "file", in_folder("base"), "overlay", file, NULL);
    scribble(&m, at_checkpoint, &rng, 60);
    must(checkpoint_save(&m.sim, path, NULL, &err), &err);
    memcpy(later, at_checkpoint, SIZE);
    scribble(&m, later, &rng, 60);

    machine_init(&a, "file", in_folder("base"), "overlay", file, NULL);
    machine_init(&b, "file", in_folder("base"), "overlay", file, NULL);
    must(checkpoint_load(&a.sim, path, NULL, &err), &err);
    must(checkpoint_load(&b.sim, path, NULL, &err), &err);
    disk_expect(&a, 0, at_checkpoint, SIZE);
    memcpy(other, at_checkpoint, SIZE);
    scribble(&a, other, &rng, 60);
    disk_expect(&a, 0, other, SIZE);
    disk_expect(&b, 0, at_checkpoint, SIZE);
    disk_expect(&m, 0, later, SIZE);
    machine_release(&b);
    // A restored machine can be saved and restored as well, and go back.
    must(checkpoint_load(&a.sim, path, NULL, &err), &err);
    disk_expect(&a, 0, at_checkpoint, SIZE);
    machine_release(&a);
    // The first one can also go back itself; its file then keeps what it had.
    must(checkpoint_load(&m.sim, path, NULL, &err), &err);
    disk_expect(&m, 0, at_checkpoint, SIZE);
    disk_put(&m, 0, base + 4096, 4096);
    machine_release(&m);
    if (overlay[0]) {
        machine_init(&m, "file", in_folder("base"), "overlay", file, NULL);
        disk_expect(&m, 0, later, SIZE);
        machine_release(&m);
    }
    free((void *)(uintptr_t)path);
}

static void restored_disks_share_nothing(void **arg)
{
    restore_side_by_side("");
}

static void restored_disks_leave_the_overlay_file_alone(void **arg)
{
    restore_side_by_side("shared");
}

static void another_image_under_a_checkpoint_is_refused(void **arg)
{
    AUTO_FREE u8 *base = make_base(12);
    struct machine m;
    struct error err;

    machine_init(&m, "file", in_folder("base"), NULL);
    must(checkpoint_save(&m.sim, in_folder("identity"), NULL, &err), &err);
    machine_release(&m);
    base[SIZE - 1] ^= 1;
    write_file("base", base, SIZE);
    machine_init(&m, "file", in_folder("base"), NULL);
    assert_false(checkpoint_load(&m.sim, in_folder("identity"), NULL, &err));
    assert_non_null(strstr(err.message, "is not the one of the checkpoint"));
    machine_release(&m);
}

static void any_damage_to_an_overlay_is_harmless(void **arg)
{
    AUTO_FREE u8 *base = make_base(13);
    AUTO(strbuf) struct strbuf good = {0};
    struct rng rng = {5};
    struct error err;
    struct machine m;
    static u8 data[KiB(64)];

    machine_init(&m, "file", in_folder("base"), "overlay", in_folder("fuzz"), NULL);
    scribble(&m, base, &rng, 30);
    machine_release(&m);
    must(file_read(in_folder("fuzz"), GiB(1), &good, &err), &err);
    for (int round = 0; round < 400; round++) {
        AUTO_FREE u8 *bytes = xcalloc(good.length, 1);
        size_t size = rng_below(&rng, 4) ? good.length : rng_below(&rng, good.length);
        bool table = rng_below(&rng, 2);
        u64 hash;

        memcpy(bytes, good.text, good.length);
        for (u64 k = 1 + rng_below(&rng, 4); k; k--)
            bytes[table ? 4096 + rng_below(&rng, 164) : rng_below(&rng, 64)] ^=
                (u8)(1u << rng_below(&rng, 8));
        hash = hash64(bytes, 56);
        if (rng_below(&rng, 2))
            memcpy(bytes + 56, &hash, sizeof(hash));
        write_file("fuzz", bytes, size);
        sim_init(&m.sim);
        m.disk = component_new(&m.sim, &disk_type, NULL, "disk", &err);
        must(component_set(m.disk, "file", in_folder("base"), &err) &&
                 component_set(m.disk, "overlay", in_folder("fuzz"), &err),
             &err);
        // Either it is refused, or all of it can be read and written.
        if (sim_build(&m.sim, &err)) {
            sim_reset(&m.sim);
            for (u64 at = 0; at + KiB(64) <= SIZE; at += KiB(64)) {
                if (!block(&m)->read(m.disk, at, data, KiB(64), &err))
                    assert_true(err.message[0]);
                disk_put(&m, at, data, KiB(64));
            }
        }
        machine_release(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_are_the_image),
        cmocka_unit_test(an_odd_size_is_padded_with_zeros),
        cmocka_unit_test(writes_stay_in_memory_and_the_image_is_untouched),
        cmocka_unit_test(write_through_changes_the_image),
        cmocka_unit_test(a_read_only_disk_refuses_writes),
        cmocka_unit_test(parameters_that_contradict_are_refused),
        cmocka_unit_test(an_overlay_file_keeps_writes_from_run_to_run),
        cmocka_unit_test(an_overlay_file_belongs_to_one_machine_and_one_image),
        cmocka_unit_test(a_damaged_overlay_is_refused),
        cmocka_unit_test(what_was_flushed_survives_a_kill),
        cmocka_unit_test(a_full_host_disk_fails_the_write_and_nothing_else),
        cmocka_unit_test(a_limit_of_file_sizes_fails_the_write_and_nothing_else),
        cmocka_unit_test(restored_disks_share_nothing),
        cmocka_unit_test(restored_disks_leave_the_overlay_file_alone),
        cmocka_unit_test(another_image_under_a_checkpoint_is_refused),
        cmocka_unit_test(any_damage_to_an_overlay_is_harmless),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
