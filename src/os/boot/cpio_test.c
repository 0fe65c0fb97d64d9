// SPDX-License-Identifier: BSD-3-Clause
// The other side of these tests is cpio(1)'s format as busybox reads it, where there is one.
#include "os/boot/cpio.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static const struct cpio_entry samples[] = {
    {.name = "dev", .mode = S_IFDIR | 0755},
    {.name = "dev/console", .mode = S_IFCHR | 0600, .device_major = 5, .device_minor = 1},
    {.name = "init", .mode = S_IFREG | 0755, .uid = 3, .gid = 4, .data = "#!/bin/sh\n", .size = 10},
    {.name = "sh", .mode = S_IFLNK | 0777, .data = "busybox", .size = 7},
    {.name = "empty", .mode = S_IFREG | 0644, .data = ""},
};

static void write_samples(struct strbuf *out)
{
    struct cpio_writer w = {.out = out, .mtime = 1700000000};

    for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
        cpio_add(&w, &samples[i]);
    cpio_finish(&w);
}

static void what_was_written_is_read_back(void **arg)
{
    AUTO(strbuf) struct strbuf archive = {0};
    struct cpio_reader r;
    struct cpio_entry e;
    struct error err;

    write_samples(&archive);
    assert_int_equal(archive.length % 512, 0);
    r = (struct cpio_reader){.data = (const u8 *)archive.text, .size = archive.length};
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        assert_int_equal(cpio_next(&r, &e, &err), CPIO_ENTRY);
        assert_string_equal(e.name, samples[i].name);
        assert_int_equal(e.mode, samples[i].mode);
        assert_int_equal(e.uid, samples[i].uid);
        assert_int_equal(e.gid, samples[i].gid);
        assert_int_equal(e.device_major, samples[i].device_major);
        assert_int_equal(e.device_minor, samples[i].device_minor);
        assert_int_equal(e.size, samples[i].size);
        if (e.size)
            assert_memory_equal(e.data, samples[i].data, e.size);
    }
    assert_int_equal(cpio_next(&r, &e, &err), CPIO_END);
}

// buffer-format.rst: where each field of the header is.
static void the_header_is_that_of_newc(void **arg)
{
    AUTO(strbuf) struct strbuf archive = {0};
    struct cpio_writer w = {.out = &archive, .mtime = 0x10};

    cpio_add(&w, &samples[2]);
    assert_memory_equal(archive.text,
                        "070701"
                        "00000001"
                        "000081ED"
                        "00000003"
                        "00000004"
                        "00000001"
                        "00000010"
                        "0000000A"
                        "00000000"
                        "00000000"
                        "00000000"
                        "00000000"
                        "00000005"
                        "00000000"
                        "init\0\0"
                        "#!/bin/sh\n\0\0",
                        128);
    assert_int_equal(archive.length, 128);
}

static void the_cpio_of_busybox_lists_it(void **arg)
{
    AUTO(strbuf) struct strbuf archive = {0};
    char path[] = "/tmp/facet-cpio-XXXXXX", command[100], line[100];
    int fd = mkstemp(path);
    struct error err;
    FILE *list;

    write_samples(&archive);
    assert_true(file_write_fd(fd, archive.text, archive.length, path, &err));
    close(fd);
    snprintf(command, sizeof(command), "busybox cpio -t < %s 2>/dev/null", path);
    list = popen(command, "r");
    for (size_t i = 0; fgets(line, sizeof(line), list); i++) {
        line[strcspn(line, "\n")] = '\0';
        assert_true(i < ARRAY_SIZE(samples));
        assert_string_equal(line, samples[i].name);
    }
    unlink(path);
    switch (WEXITSTATUS(pclose(list))) {
    case 0:
        return;
    case 127:
        skip();
        break;
    default:
        fail();
    }
}

static void damage_never_leads_outside(void **arg)
{
    AUTO(strbuf) struct strbuf archive = {0};
    struct rng rng = {1};

    write_samples(&archive);
    for (int i = 0; i < 20000; i++) {
        size_t size = rng_next(&rng) % (archive.length + 1);
        u8 *copy = malloc(size + 1);
        struct cpio_reader r = {.data = copy, .size = size};
        struct cpio_entry e;
        struct error err;

        memcpy(copy, archive.text, size);
        for (u64 flips = rng_next(&rng) % 4; flips > 0 && size; flips--)
            copy[rng_next(&rng) % size] ^= (u8)(1u << rng_next(&rng) % 8);
        while (cpio_next(&r, &e, &err) == CPIO_ENTRY) {
            assert_true((const u8 *)e.data >= copy && (const u8 *)e.data + e.size <= copy + size);
            assert_true(r.at <= size);
        }
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(the_header_is_that_of_newc),
        cmocka_unit_test(the_cpio_of_busybox_lists_it),
        cmocka_unit_test(damage_never_leads_outside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
