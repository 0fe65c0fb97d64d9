// SPDX-License-Identifier: BSD-3-Clause
// replay CORPUS [COPIES [RANDOM]]
// Runs every file of a corpus folder through a fuzz target, then COPIES (300) damaged copies of
// each (bits flipped, ends cut off), at last RANDOM (0) inputs of nothing but random bytes; always
// the same ones. TAP on standard output.
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"

enum { COPIES = 300, MAX_BYTES = 1 << 20, RANDOM_BYTES = 2048 };

// In exactly as much memory as it has bytes, so that a sanitizer sees a read beyond the end.
static void feed(const void *data, size_t size)
{
    u8 *copy = malloc(size ? size : 1);

    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void feed_damaged(const struct strbuf *file, u64 seed, u64 copies)
{
    struct rng rng = {seed};
    u8 *copy = malloc(file->length + 1);

    for (u64 i = 0; i < copies; i++) {
        size_t size = rng_next(&rng) % 4 ? file->length : rng_next(&rng) % (file->length + 1);

        memcpy(copy, file->text, file->length);
        for (u64 flips = rng_next(&rng) % 8; flips > 0 && size > 0; flips--)
            copy[rng_next(&rng) % size] ^= (u8)(1u << rng_next(&rng) % 8);
        feed(copy, size);
    }
    free(copy);
}

static void feed_random(u64 count)
{
    struct rng rng = {count};
    u8 data[RANDOM_BYTES];

    for (u64 i = 0; i < count; i++) {
        size_t size = rng_below(&rng, RANDOM_BYTES);

        for (size_t k = 0; k < size; k++)
            data[k] = (u8)rng_next(&rng);
        feed(data, size);
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv)
{
    DIR *folder = argc > 1 ? opendir(argv[1]) : NULL;
    u64 copies = argc > 2 ? strtoull(argv[2], NULL, 10) : COPIES;
    u64 random = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    VEC(char *) names = {0};
    const struct dirent *entry;

    if (!folder) {
        puts("Bail out! no such corpus");
        return 1;
    }
    while ((entry = readdir(folder))) {
        if (entry->d_name[0] != '.')
            VEC_PUSH(&names, xstrdup(entry->d_name));
    }
    closedir(folder);
    qsort(names.items, names.count, sizeof(names.items[0]), compare_names);
    printf("1..%zu\n", names.count + (random > 0));
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *path = xasprintf("%s/%s", argv[1], names.items[i]);
        AUTO(strbuf) struct strbuf file = {0};
        struct error err;

        if (!file_read(path, MAX_BYTES, &file, &err)) {
            printf("not ok %zu - %s: %s\n", i + 1, names.items[i], err.message);
            continue;
        }
        feed(strbuf_text(&file), file.length);
        if (file.length)
            feed_damaged(&file, i, copies);
        printf("ok %zu - %s\n", i + 1, names.items[i]);
        fflush(stdout);
        free(names.items[i]);
    }
    if (random) {
        feed_random(random);
        printf("ok %zu - %llu random inputs\n", names.count + 1, (unsigned long long)random);
    }
    VEC_RELEASE(&names);
    return 0;
}
