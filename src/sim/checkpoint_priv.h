// SPDX-License-Identifier: BSD-3-Clause
// The two halves of a checkpoint share these: checkpoint.c (directory, manifest, states) and
// checkpoint_memory.c (the pack).
#pragma once

#include "base/alloc.h"
#include "base/json.h"
#include "sim/checkpoint.h"

#include <jansson.h>

#define CHECKPOINT_CHUNK_BYTES 65536u

struct pack_chunk {
    const u8 *source; // borrowed while writing: to compare with later equal ones
    u64 hash;         // XXH3 of the bytes; while reading, of the frame
    u64 frame_hash;
    u64 at;     // of the frame, in the pack
    u32 frame;  // bytes of the frame
    u32 length; // bytes when decompressed
};

struct pack_writer {
    int fd;           // owned
    const char *path; // borrowed
    u64 size;
    VEC(struct pack_chunk) chunks;
    u32 *slots; // owned; hash table of chunk numbers + 1
    size_t slot_count;
    struct strbuf memories; // the JSON array's elements
    struct json_out json;
    void *compressor; // owned
    u8 *frame;        // owned
    size_t frame_room;
};

bool pack_writer_open(struct pack_writer *p, const char *path, struct error *err) MUST_CHECK;
bool pack_writer_add(struct pack_writer *p, const char *name, const u8 *data, u64 size,
                     checkpoint_data_fn *data_from, void *context, struct error *err) MUST_CHECK;
// Syncs the pack and appends the content of memory.json.
bool pack_writer_finish(struct pack_writer *p, struct strbuf *index, struct error *err) MUST_CHECK;
void pack_writer_release(struct pack_writer *p);

struct pack_reader {
    const u8 *data; // borrowed, or `mapped`
    u64 size;
    void *mapped; // owned
    VEC(struct pack_chunk) chunks;
    json_t *index; // owned
    size_t used;   // memories that were read
    void *decompressor;
    u8 *buffer;
};

// Checks that the index and the chunks in *data make sense; `index` is taken over.
bool pack_reader_init(struct pack_reader *p, const u8 *data, u64 size, json_t *index,
                      struct error *err) MUST_CHECK;
// The same with a file.
bool pack_reader_open(struct pack_reader *p, const char *path, json_t *index,
                      struct error *err) MUST_CHECK;
bool pack_reader_size(const struct pack_reader *p, const char *name, u64 *ret_size);
bool pack_reader_read(struct pack_reader *p, const char *name, u8 *data, u64 size,
                      struct error *err) MUST_CHECK;
size_t pack_reader_count(const struct pack_reader *p);
void pack_reader_release(struct pack_reader *p);
