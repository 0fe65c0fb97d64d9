// SPDX-License-Identifier: BSD-3-Clause
// qcow2 images: those of the real qemu-img (skipped where it is absent) and malformed ones.
#include "dev/disk_test.h"

#include "dev/disk_priv.h"

#include <spawn.h>
#include <sys/wait.h>

#define SIZE (MiB(2) + KiB(64) + 512 * 5)

// Runs a program; false when it fails or does not exist.
static bool run(const char *const *argv)
{
    char *environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    int status = -1;
    pid_t child;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (posix_spawn(&child, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environment) ==
        0)
        waitpid(child, &status, 0);
    posix_spawn_file_actions_destroy(&actions);
    return status == 0;
}
#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})
#define QEMU_IMG "/usr/bin/qemu-img"
#define QEMU_IO "/usr/bin/qemu-io"

static void need_qemu_img(void)
{
    if (access(QEMU_IMG, X_OK) != 0 || access(QEMU_IO, X_OK) != 0)
        skip();
}

static u8 *make_raw(const char *name, u64 seed)
{
    u8 *bytes = random_bytes(SIZE, seed);

    write_file(name, bytes, SIZE);
    return bytes;
}

static void expect_content(const char *image, const u8 *bytes, u64 size)
{
    struct machine m;
    struct rng rng = {1};

    machine_init(&m, "file", in_folder(image), "format", "qcow2", NULL);
    assert_int_equal(block(&m)->size(m.disk), size);
    disk_expect(&m, 0, bytes, size);
    for (int i = 0; i < 200; i++) {
        u64 at = rng_below(&rng, size / 512), n = 1 + rng_below(&rng, MIN(size / 512 - at, 40));

        disk_expect(&m, at * 512, bytes + at * 512, n * 512);
    }
    machine_release(&m);
}

static void images_of_every_kind_read_as_their_source(void **arg)
{
    static const char *const options[] = {
        "compat=1.1",
        "compat=0.10",
        "compat=1.1,cluster_size=512",
        "compat=1.1,cluster_size=4k",
        "compat=1.1,cluster_size=2M",
        "compat=1.1,compression_type=zstd",
        "compat=1.1,compression_type=zstd,cluster_size=2M",
        "compat=1.1,lazy_refcounts=on",
    };
    AUTO_FREE u8 *bytes = NULL;

    need_qemu_img();
    bytes = make_raw("raw", 1);
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        assert_true(RUN(QEMU_IMG, "convert", "-f", "raw", "-O", "qcow2", "-o", options[i],
                        in_folder("raw"), in_folder("plain.qcow2")));
        expect_content("plain.qcow2", bytes, SIZE);
        assert_true(RUN(QEMU_IMG, "convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options[i],
                        in_folder("raw"), in_folder("packed.qcow2")));
        expect_content("packed.qcow2", bytes, SIZE);
    }
}

static void backing_files_show_through(void **arg)
{
    AUTO_FREE u8 *bytes = NULL;

    need_qemu_img();
    bytes = xrealloc(make_raw("raw", 2), SIZE + MiB(1), 1);
    memset(bytes + SIZE, 0, MiB(1));
    // Two levels, the upper one larger than what is below it, with data and zeros of its own.
    assert_true(RUN(QEMU_IMG, "create", "-f", "qcow2", "-F", "raw", "-b", "raw",
                    in_folder("middle.qcow2")));
    assert_true(RUN(QEMU_IO, "-f", "qcow2", "-c", "write -P 0x11 64k 70k", "-c",
                    "write -z 256k 64k", in_folder("middle.qcow2")));
    assert_true(RUN(QEMU_IMG, "create", "-f", "qcow2", "-F", "qcow2", "-b", "middle.qcow2",
                    in_folder("top.qcow2"), "3216896"));
    assert_true(RUN(QEMU_IO, "-f", "qcow2", "-c", "write -P 0x22 100k 4k", "-c",
                    "write -z 512k 128k", "-c", "write -P 0x33 3000k 1k", in_folder("top.qcow2")));
    assert_int_equal(SIZE + MiB(1), 3213824);
    bytes = xrealloc(bytes, 3216896, 1);
    memset(bytes + SIZE, 0, 3216896 - SIZE);
    memset(bytes + KiB(64), 0x11, KiB(70));
    memset(bytes + KiB(256), 0, KiB(64));
    memset(bytes + KiB(100), 0x22, KiB(4));
    memset(bytes + KiB(512), 0, KiB(128));
    memset(bytes + KiB(3000), 0x33, KiB(1));
    expect_content("top.qcow2", bytes, 3216896);
    machine_refused("may have none", "file", in_folder("top.qcow2"), "format", "qcow2", "backing",
                    "none", NULL);
    unlink(in_folder("raw"));
    machine_refused("its backing file: '", "file", in_folder("top.qcow2"), "format", "qcow2", NULL);
}

static void a_converted_image_is_the_same_to_a_checkpoint(void **arg)
{
    AUTO_FREE u8 *bytes = NULL;
    struct machine m;
    struct error err;

    need_qemu_img();
    bytes = make_raw("raw", 3);
    machine_init(&m, "file", in_folder("raw"), NULL);
    disk_put(&m, 4096, bytes, 4096);
    must(checkpoint_save(&m.sim, in_folder("checkpoint"), NULL, &err), &err);
    machine_release(&m);
    assert_true(RUN(QEMU_IMG, "convert", "-c", "-f", "raw", "-O", "qcow2", in_folder("raw"),
                    in_folder("same.qcow2")));
    machine_init(&m, "file", in_folder("same.qcow2"), "format", "qcow2", NULL);
    must(checkpoint_load(&m.sim, in_folder("checkpoint"), NULL, &err), &err);
    memcpy(bytes + 4096, bytes, 4096);
    disk_expect(&m, 0, bytes, SIZE);
    machine_release(&m);
}

// --- Images made by hand: 4 KiB clusters; cluster 1 holds L1, 2 the only L2 table, 3 data.

enum { CLUSTER = 4096, HAND_SIZE = 4 * CLUSTER, DISK = 64 * CLUSTER };

static void put32(u8 *at, u32 v)
{
    v = __builtin_bswap32(v);
    memcpy(at, &v, sizeof(v));
}

static void put64(u8 *at, u64 v)
{
    v = __builtin_bswap64(v);
    memcpy(at, &v, sizeof(v));
}

static u8 *by_hand(void)
{
    u8 *b = xcalloc(HAND_SIZE, 1);

    put32(b, 0x514649fb);
    put32(b + 4, 3);
    put32(b + 20, 12);
    put64(b + 24, DISK);
    put32(b + 36, 1);
    put64(b + 40, CLUSTER);
    put32(b + 96, 4);
    put32(b + 100, 112);
    put64(b + CLUSTER, 2 * CLUSTER | 1ull << 63);
    put64(b + 2 * CLUSTER, 3 * CLUSTER | 1ull << 63);
    put64(b + 2 * CLUSTER + 8, 1);
    memset(b + 3 * CLUSTER, 0x42, CLUSTER);
    return b;
}

// With a backing file: the name at 256, its format as an extension at 112.
static u8 *by_hand_backed(const char *name, const char *format)
{
    u8 *b = by_hand();

    put64(b + 8, 256);
    put32(b + 16, (u32)strlen(name));
    memcpy(b + 256, name, strlen(name));
    if (format) {
        put32(b + 112, 0xe2792aca);
        put32(b + 116, (u32)strlen(format));
        memcpy(b + 120, format, strlen(format));
    }
    return b;
}

static void refused(u8 *image, const char *part, const char *backing)
{
    write_file("hand", image, HAND_SIZE);
    free(image);
    machine_refused(part, "file", in_folder("hand"), "format", "qcow2", "backing", backing, NULL);
}

static void an_image_by_hand_is_read(void **arg)
{
    AUTO_FREE u8 *image = by_hand();
    u8 expected[3 * CLUSTER] = {0};
    struct machine m;

    memset(expected, 0x42, CLUSTER);
    write_file("hand", image, HAND_SIZE);
    machine_init(&m, "file", in_folder("hand"), "format", "qcow2", NULL);
    disk_expect(&m, 0, expected, sizeof(expected));
    machine_release(&m);
}

static void every_wrong_field_of_the_header_has_its_message(void **arg)
{
    static const struct {
        unsigned at, bytes;
        u64 value;
        const char *part;
    } cases[] = {
        {0, 4, 0x514649fa, "no qcow2 file"},
        {4, 4, 1, "version is 1"},
        {4, 4, 4, "version is 4"},
        {20, 4, 8, "2^8 bytes"},
        {20, 4, 22, "2^22 bytes"},
        {20, 4, 0xffffffff, "2^4294967295 bytes"},
        {24, 8, 0, "its disk has 0 bytes"},
        {24, 8, 1000, "not a multiple of 512"},
        {24, 8, 1ull << 62, "more than 16TiB"},
        {32, 4, 1, "encrypted"},
        {36, 4, 0, "L1 table has 0 entries"},
        {36, 4, 0x7fffffff, "L1 table has 2147483647 entries"},
        {36, 4, 4000000, "beyond the end of the file"},
        {24, 8, 3ull << 20, "the disk needs 2"},
        {40, 8, 0, "L1 table, at 0x0"},
        {40, 8, CLUSTER + 8, "L1 table, at 0x1008"},
        {40, 8, HAND_SIZE, "beyond the end of the file"},
        {40, 8, ~0ull << 12, "beyond the end of the file"},
        {72, 8, 2, "corrupt"},
        {72, 8, 4, "another file"},
        {72, 8, 16, "extended L2"},
        {72, 8, 1ull << 40, "unknown features (0x10000000000)"},
        {72, 8, 8, "compression type 0"},
        {104, 1, 1, "compression type 1"},
        {100, 4, 0, "length 0"},
        {100, 4, 108, "length 108"},
        {100, 4, 0xfffffff8, "length 4294967288"},
        {112, 8, 5ull << 32 | 0xffffffff, "extension 0x5 is too long"},
        {8, 8, 50, "name of its backing file"},
        {8, 8, ~0ull, "name of its backing file"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        u8 *image = by_hand();

        if (cases[i].bytes == 8)
            put64(image + cases[i].at, cases[i].value);
        else if (cases[i].bytes == 4)
            put32(image + cases[i].at, (u32)cases[i].value);
        else
            image[cases[i].at] = (u8)cases[i].value;
        if (cases[i].at == 8)
            put32(image + 16, 10);
        refused(image, cases[i].part, "beside");
    }
}

static void wrong_tables_fail_the_read(void **arg)
{
    static const struct {
        unsigned at;
        u64 value;
        const char *part;
    } cases[] = {
        {CLUSTER, 2 * CLUSTER | 1, "reserved bits are set in the L1"},
        {CLUSTER, 2 * CLUSTER + 512, "L2 table is unaligned"},
        {CLUSTER, HAND_SIZE, "L2 table is unaligned or beyond"},
        {CLUSTER, 0x00fffffffffff000, "L2 table is unaligned or beyond"},
        {2 * CLUSTER + 16, 3 * CLUSTER | 2, "reserved bits are set in the L2"},
        {2 * CLUSTER + 16, 3 * CLUSTER + 512, "cluster is unaligned"},
        {2 * CLUSTER + 16, HAND_SIZE, "unaligned or beyond"},
        {2 * CLUSTER + 16, 1ull << 62 | HAND_SIZE, "compressed cluster is beyond"},
        {2 * CLUSTER + 16, 1ull << 62 | 3 * CLUSTER, "compressed cluster is damaged"},
        {2 * CLUSTER + 16, ~0ull, "compressed cluster is beyond"},
    };
    u8 data[512];

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_FREE u8 *image = by_hand();
        struct machine m;
        struct error err;
        va_list none;
        bool opened;

        (void)none;
        put64(image + cases[i].at, cases[i].value);
        write_file("hand", image, HAND_SIZE);
        sim_init(&m.sim);
        m.disk = component_new(&m.sim, &disk_type, NULL, "disk", &err);
        must(component_set(m.disk, "file", in_folder("hand"), &err) &&
                 component_set(m.disk, "format", "qcow2", &err),
             &err);
        // Small disks are read as a whole for their identity.
        opened = sim_build(&m.sim, &err);
        if (opened)
            opened = block(&m)->read(m.disk, 2 * CLUSTER, data, sizeof(data), &err);
        assert_false(opened);
        if (!strstr(err.message, cases[i].part))
            fail_msg("case %zu: %s", i, err.message);
        machine_release(&m);
    }
}

static void backing_files_are_declared_files_beside_the_image(void **arg)
{
    AUTO_FREE u8 *raw = random_bytes(DISK, 5);
    AUTO_FREE char *absolute = xstrdup(in_folder("backing"));
    struct machine m;
    u8 *image;

    write_file("backing", raw, DISK);
    refused(by_hand_backed("backing", NULL), "declares no format", "beside");
    refused(by_hand_backed("backing", "vmdk"), "neither raw nor qcow2", "beside");
    refused(by_hand_backed("/etc/passwd", "raw"), "not in the image's folder", "beside");
    refused(by_hand_backed("../x", "raw"), "not in the image's folder", "beside");
    refused(by_hand_backed("a/../../x", "raw"), "not in the image's folder", "beside");
    refused(by_hand_backed("json:{}", "raw"), "is no file", "anywhere");
    refused(by_hand_backed("nbd://host/x", "raw"), "is no file", "anywhere");
    refused(by_hand_backed("missing", "raw"), "cannot open", "beside");
    // An image behind itself has no end.
    refused(by_hand_backed("hand", "qcow2"), "more than 8 files", "beside");

    image = by_hand_backed(absolute, "raw");
    write_file("hand", image, HAND_SIZE);
    free(image);
    machine_init(&m, "file", in_folder("hand"), "format", "qcow2", "backing", "anywhere", NULL);
    disk_expect(&m, 2 * CLUSTER, raw + 2 * CLUSTER, DISK - 2 * CLUSTER);
    machine_release(&m);
}

static void any_damage_to_an_image_is_harmless(void **arg)
{
    AUTO_FREE u8 *raw = random_bytes(DISK, 6);
    struct rng rng = {7};
    static u8 data[DISK];

    write_file("backing", raw, DISK);
    for (int round = 0; round < 2000; round++) {
        AUTO_FREE u8 *image = rng_below(&rng, 2) ? by_hand() : by_hand_backed("backing", "raw");
        size_t size = rng_below(&rng, 4) ? HAND_SIZE : rng_below(&rng, HAND_SIZE);
        struct machine m;
        struct error err;

        for (u64 k = 1 + rng_below(&rng, 5); k; k--) {
            static const unsigned starts[] = {0, 96, 240, CLUSTER, 2 * CLUSTER};
            u64 at = starts[rng_below(&rng, ARRAY_SIZE(starts))] + rng_below(&rng, 64);

            if (rng_below(&rng, 3))
                image[at] ^= (u8)(1u << rng_below(&rng, 8));
            else
                put64(image + (at & ~7ull), rng_next(&rng) >> rng_below(&rng, 64));
        }
        write_file("fuzz", image, size);
        sim_init(&m.sim);
        m.disk = component_new(&m.sim, &disk_type, NULL, "disk", &err);
        must(component_set(m.disk, "file", in_folder("fuzz"), &err) &&
                 component_set(m.disk, "format", "qcow2", &err) &&
                 component_set(m.disk, "readonly", "true", &err),
             &err);
        if (sim_build(&m.sim, &err)) {
            u64 disk = block(&m)->size(m.disk);

            sim_reset(&m.sim);
            for (u64 at = 0; at < MIN(disk, DISK); at += CLUSTER)
                if (!block(&m)->read(m.disk, at, data, MIN(disk - at, CLUSTER), &err))
                    assert_true(err.message[0]);
            if (!block(&m)->read(m.disk, disk - 512, data, 512, &err))
                assert_true(err.message[0]);
        }
        machine_release(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_of_every_kind_read_as_their_source),
        cmocka_unit_test(backing_files_show_through),
        cmocka_unit_test(a_converted_image_is_the_same_to_a_checkpoint),
        cmocka_unit_test(an_image_by_hand_is_read),
        cmocka_unit_test(every_wrong_field_of_the_header_has_its_message),
        cmocka_unit_test(wrong_tables_fail_the_read),
        cmocka_unit_test(backing_files_are_declared_files_beside_the_image),
        cmocka_unit_test(any_damage_to_an_image_is_harmless),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
