// SPDX-License-Identifier: BSD-3-Clause
// What a checkpoint's hashes would let through if someone made them fit: states, memory.json, the
// index and the pack. The input is two JSON texts, a state and memory.json, with a NUL between, and
// after another NUL the number of chunks (16 bits), memory.index and memory.pack. The hashes of the
// frames are made to fit; the pack is also its own parent.
#include "fuzz.h"

#include "base/bug.h"
#include "base/hash.h"
#include "sim/checkpoint_priv.h"

#include <string.h>

#define SAMPLE_STATE(F, FA, FE, FV) \
    F(u64, a)                       \
    F(i64, b)                       \
    FA(u32, words, 4)               \
    FV(u16, tags, 6)                \
    FE(timer)                       \
    FA(u8, bytes, 8)

STATE_STRUCT(sample_state, SAMPLE_STATE);
static STATE_FIELDS(sample_state, SAMPLE_STATE);

static void no_event(void *owner, struct event *event)
{
}

static void load_state(const char *text, size_t size)
{
    struct event_queue queue;
    u16 tags[6] = {0};
    struct sample_state st = {.tags = tags, .tags_count = 6};
    struct strbuf again = {0};
    struct json_out j = json_out_to(&again);
    struct error err;
    json_t *root = json_parse(text, size, "fuzz", &err);

    event_queue_init(&queue);
    queue.now = 5000;
    event_init(&st.timer, &queue, "timer", no_event, NULL);
    // What was accepted can be saved and accepted again.
    if (root && state_load(&st, sample_state_fields, root, &err)) {
        json_decref(root);
        state_save(&j, &st, sample_state_fields);
        root = json_parse(again.text, again.length, "again", &err);
        ASSERT(root && state_load(&st, sample_state_fields, root, &err));
    }
    json_decref(root);
    strbuf_release(&again);
}

// A copy of the index, as large as `size` says, in which the frames' hashes are right.
static u8 *fit_index(const uint8_t *index, size_t size, u64 frames, const uint8_t *pack, u64 left)
{
    u8 *copy = xcalloc(size + 1, 1);

    memcpy(copy, index, size);
    for (u64 i = 0; i < frames; i++) {
        u64 bytes, hash;

        memcpy(&bytes, copy + 16 * i, 8);
        if (bytes > left)
            break;
        hash = hash64(pack, bytes);
        memcpy(copy + 16 * i + 8, &hash, 8);
        pack += bytes;
        left -= bytes;
    }
    return copy;
}

static bool add_packs(struct checkpoint_source *s, const uint8_t *data, size_t size,
                      struct error *err)
{
    u64 chunks = size >= 2 ? (u64)data[0] | (u64)data[1] << 8 : 0, frames = (chunks + 15) / 16;
    u64 want = 16 * (chunks + frames), index_size;
    u8 *index;

    data += MIN(size, 2);
    size -= MIN(size, 2);
    index_size = MIN(want, size);
    if (index_size < want)
        frames = 0;
    index = fit_index(data, index_size, frames, data + index_size, size - index_size);
    for (unsigned i = 0; i < 2; i++) {
        struct pack p;

        if (!pack_init(&p, "fuzz", size - index_size, chunks, index, index_size, err)) {
            pack_release(&p);
            break;
        }
        p.data = data + index_size;
        VEC_PUSH(&s->packs, p);
    }
    free(index);
    return s->packs.count == 2;
}

static void fill_memory(struct checkpoint_source *s, const json_t *index)
{
    static u8 memory[20 * CHUNK_BYTES + 100];
    const json_t *m = memory_find(index, "ram");
    struct checkpoint_lazy *l;
    struct error err;
    u64 size;

    if (!m || !json_get_u64(m, "size", &size) || size > sizeof(memory) ||
        !checkpoint_lazy_new(s, index, "ram", memory, size, 2, &l, &err))
        return;
    if (l && checkpoint_lazy_fill(l, size / 3, size / 3, &err) && checkpoint_lazy_left(l))
        ASSERT(checkpoint_lazy_complete(l, &err) || err.code == ERROR_INPUT);
    checkpoint_lazy_free(l);
    memset(memory, 0, size);
}

static void load_memory(const char *text, size_t text_size, const uint8_t *data, size_t size)
{
    struct checkpoint_source *s = xcalloc(1, sizeof(*s));
    struct error err;
    json_t *index = json_parse(text, text_size, "fuzz", &err);
    u64 counts[3];

    // One holder: packs are kept until the end.
    s->holders = 1;
    if (index && add_packs(s, data, size, &err)) {
        const json_t *m = memory_find(index, "ram");
        const char *map = json_get_string(m, "map");

        if (memory_index_check(index, s, &err))
            fill_memory(s, index);
        (void)(map && map_count(map, 21, &counts[0], &counts[1], &counts[2]));
    }
    json_decref(index);
    checkpoint_source_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *first = memchr(data, 0, size), *second;
    size_t left;

    if (!first) {
        load_state((const char *)data, size);
        return 0;
    }
    load_state((const char *)data, (size_t)(first - data));
    left = size - (size_t)(first + 1 - data);
    second = memchr(first + 1, 0, left);
    if (second)
        load_memory((const char *)first + 1, (size_t)(second - first - 1), second + 1,
                    left - (size_t)(second - first));
    else
        load_memory((const char *)first + 1, left, data, 0);
    return 0;
}
