// SPDX-License-Identifier: BSD-3-Clause
// The parts of a disk: images, which are read, and the overlay, which holds what was written.
#pragma once

#include "base/arena.h"
#include "base/error.h"

#define DISK_SIZE_MAX GiB(16384)

// --- Images: disk_raw.c, disk_qcow2.c

enum disk_format { DISK_RAW, DISK_QCOW2 };
// Which backing files an image may name: it may come from somebody who wants to read ours.
enum disk_backing { DISK_BACKING_NONE, DISK_BACKING_BESIDE, DISK_BACKING_ANYWHERE };

struct disk_image;
struct disk_image_ops {
    // The range lies in the image.
    bool (*read)(struct disk_image *i, u64 offset, void *data, u64 size, struct error *err);
    void (*release)(struct disk_image *i); // optional
};

struct disk_image {
    const struct disk_image_ops *ops;
    const char *path; // in the arena
    u64 size;         // of the disk
    u64 file_bytes;   // of the file
    int fd;           // owned
};

// How to open a file, and those behind it.
struct disk_open {
    struct arena *arena; // for what lives as long as the machine
    enum disk_backing backing;
    bool write;     // only raw
    unsigned depth; // files opened before this one
};

// By its declared format: a guest that may write to a raw disk decides what it looks like, so no
// file is ever asked what it is. NULL and *err when it cannot be used.
struct disk_image *disk_image_open(const char *path, enum disk_format format,
                                   const struct disk_open *how, struct error *err);
void disk_image_release(struct disk_image *i); // NULL is fine
// Beyond its end an image is zero.
bool disk_image_read(struct disk_image *i, u64 offset, void *data, u64 size, struct error *err);

// The host file of an image: opens, locks and measures it.
bool disk_file_open(struct disk_image *i, const char *path, const struct disk_open *how,
                    struct error *err);
// What lies beyond the end of the file is zero.
bool disk_file_read(const struct disk_image *i, u64 offset, void *data, u64 size,
                    struct error *err);
bool disk_file_write(const struct disk_image *i, u64 offset, const void *data, u64 size,
                     struct error *err);
struct disk_image *disk_raw_open(const char *path, const struct disk_open *how, struct error *err);
struct disk_image *disk_qcow2_open(const char *path, const struct disk_open *how,
                                   struct error *err);

// --- The header of a qcow2 file: disk_qcow2_header.c

#define QCOW2_HEAD_MAX KiB(64) // header, extensions and backing name lie within
#define QCOW2_NAME_MAX 1023

enum qcow2_compression { QCOW2_ZLIB, QCOW2_ZSTD };

struct qcow2_header {
    u32 version, cluster_bits, l1_entries;
    enum qcow2_compression compression;
    u64 size, l1_at;
    bool has_backing;
    enum disk_format backing_format;
    char backing[QCOW2_NAME_MAX + 1];
};

// `head` is the beginning of a file of `file_bytes`: all of it or QCOW2_HEAD_MAX bytes.
bool qcow2_parse(const u8 *head, size_t size, u64 file_bytes, struct qcow2_header *ret_header,
                 struct error *err);

// --- Overlays: disk_overlay.c (docs/formats/overlay.md)

#define OVERLAY_CLUSTER 65536u

// An entry of the table, one for each cluster of the disk.
enum {
    OVERLAY_ABSENT, // as in the image
    OVERLAY_ZERO,
    OVERLAY_FIRST, // slot 0 of the data; and so on
};

struct overlay_identity {
    u64 size, hash; // of the disk below
};

struct overlay {
    struct overlay_identity base;
    u64 clusters, table_bytes, data_at;
    u64 slots;        // all that are in use lie below
    u64 next;         // all below are in use
    u32 *table;       // owned, mapped
    u8 *used;         // owned, mapped: a bit for each slot
    u8 *dirty;        // owned, mapped: one for each page of the table that the file does not have
    u8 *bytes;        // owned, mapped: the slots of an overlay in memory
    const char *path; // borrowed; of a file, for messages
    int fd;           // owned; one more than the descriptor, 0: in memory
    bool unsynced;    // the file has data that may not be on the medium
};

bool overlay_open_memory(struct overlay *o, struct overlay_identity base, struct error *err);
// Makes the file when there is none. *ret_busy: it failed because another one has it open.
bool overlay_open_file(struct overlay *o, const char *path, struct overlay_identity base,
                       bool *ret_busy, struct error *err);
void overlay_release(struct overlay *o);

// Part of a cluster that has a slot.
bool overlay_read(const struct overlay *o, u64 cluster, u64 at, void *data, u64 size,
                  struct error *err);
bool overlay_write(struct overlay *o, u64 cluster, u64 at, const void *data, u64 size,
                   struct error *err);
bool overlay_clear(struct overlay *o, u64 cluster, u64 at, u64 size, struct error *err);
// Gives a cluster without a slot one, with this content. On failure nothing has changed.
bool overlay_add(struct overlay *o, u64 cluster, const void *data, struct error *err);
// Makes a cluster without a slot zero.
void overlay_add_zero(struct overlay *o, u64 cluster);
// Everything so far survives a loss of power.
bool overlay_flush(struct overlay *o, struct error *err);

// For checkpoints: all slots, as long as nothing is written; NULL and *err when that fails. Is to
// be given back.
const u8 *overlay_map(struct overlay *o, struct error *err);
void overlay_unmap(struct overlay *o, const u8 *slots);
// Takes a table that was put there, together with `slots` slots; false when an entry lies beyond
// them or two share one.
bool overlay_adopt(struct overlay *o, u64 slots, struct error *err);
