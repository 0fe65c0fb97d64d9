// SPDX-License-Identifier: BSD-3-Clause
// What a checkpoint's hashes would let through if someone made them fit: states and the index of
// the memory pack. The input is two JSON texts, a state and an index, with a NUL between, and after
// another NUL the pack; hashes of chunks are not needed to get far (a map can name none).
#include "fuzz.h"

#include "base/bug.h"
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

static void load_memory(const char *index, size_t index_size, const uint8_t *pack, size_t size)
{
    static u8 memory[3 * CHECKPOINT_CHUNK_BYTES + 100];
    struct pack_reader p;
    struct error err;
    json_t *root = json_parse(index, index_size, "fuzz", &err);
    u64 bytes;

    if (!root)
        return;
    if (pack_reader_init(&p, pack, size, root, &err) && pack_reader_size(&p, "ram", &bytes) &&
        bytes <= sizeof(memory) && pack_reader_read(&p, "ram", memory, bytes, &err))
        memset(memory, 0, bytes);
    pack_reader_release(&p);
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
