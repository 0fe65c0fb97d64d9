// SPDX-License-Identifier: BSD-3-Clause
#include "checkpoint_help.h"

#include "base/alloc.h"
#include "base/file.h"
#include "mem/ram.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

const char *const checkpoint_parts[CHECKPOINT_PARTS] = {
    "manifest.json", "state.json", "memory.json", "memory.index", "memory.pack",
};

static char directory[64];

char *scratch(const char *name)
{
    return xasprintf("%s/%s", directory, name);
}

int scratch_make(void **arg)
{
    snprintf(directory, sizeof(directory), "%s/facet-checkpoint-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    return mkdtemp(directory) ? 0 : -1;
}

int scratch_remove(void **arg)
{
    struct error err;

    return file_remove_tree(directory, &err) ? 0 : -1;
}

unsigned scratch_entries(void)
{
    DIR *d = opendir(directory);
    unsigned n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

void must(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s", err->message);
}

void must_remove(const char *path)
{
    struct error err;

    must(file_remove_tree(path, &err), &err);
}

void sample_machine_randomise(struct sample_machine *m, struct rng *rng)
{
    u8 *bytes = ram_bytes(m->ram);

    for (struct component *c = m->sim.root; c; c = c->next)
        state_randomise(component_state(c), c->type->state, rng);
    for (u64 at = 0; at < ram_size(m->ram); at += 65536) {
        u64 kind = rng_below(rng, 4);

        for (unsigned k = 0; k < 65536 && kind; k++)
            bytes[at + k] = kind == 1 ? 7 : (u8)rng_next(rng);
    }
}

void assert_same_files(const char *a, const char *b)
{
    for (size_t i = 0; i < CHECKPOINT_PARTS; i++) {
        AUTO_FREE char *x = xasprintf("%s/%s", a, checkpoint_parts[i]);
        AUTO_FREE char *y = xasprintf("%s/%s", b, checkpoint_parts[i]);
        AUTO(strbuf) struct strbuf s = {0};
        AUTO(strbuf) struct strbuf t = {0};
        struct error err;

        must(file_read(x, 1 << 30, &s, &err), &err);
        must(file_read(y, 1 << 30, &t, &err), &err);
        assert_int_equal(s.length, t.length);
        assert_memory_equal(strbuf_text(&s), strbuf_text(&t), s.length);
    }
}

void flip_bit(const char *path, u64 byte, unsigned bit)
{
    int fd = open(path, O_RDWR);
    u8 v;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &v, 1, (off_t)byte), 1);
    v ^= (u8)(1u << bit);
    assert_int_equal(pwrite(fd, &v, 1, (off_t)byte), 1);
    close(fd);
}

u64 file_size(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return (u64)st.st_size;
}
