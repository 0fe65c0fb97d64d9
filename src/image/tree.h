// SPDX-License-Identifier: BSD-3-Clause
// The files that an image is to hold: paths with type, owner, mode and content, collected from
// archives, from the host and from memory, then read in the order of their paths by what writes the
// image. A path that is added again replaces what was there.
#pragma once

#include "base/error.h"

struct tree_attribute {
    char *name;  // owned: "security.capability"
    char *value; // owned
    size_t size;
};

struct tree_entry {
    char *path; // owned; "usr/bin/env": no slash at either end; "" is the root
    u32 mode;   // type and permissions, as st_mode
    u32 uid, gid;
    u32 major, minor; // of a device node
    i64 mtime;        // seconds
    char *link;       // owned: path (as above) of the file that this hard link is, or NULL
    char *data;       // owned: content of a file, target of a symbolic link; or NULL
    char *host_file;  // owned: where the content is, from `host_offset`; or NULL
    u64 host_offset;
    u64 size;                          // of the content
    struct tree_attribute *attributes; // owned
    size_t attribute_count;
    u32 links; // hard links to it, counted by who writes the image
    u64 order; // of adding
};

struct tree {
    struct tree_entry *items; // owned
    size_t count, room;
    size_t settled; // these are sorted, each path once
    i64 mtime;      // of what is added from memory or from the host
};

void tree_release(struct tree *t);

// Takes over everything that *entry owns.
void tree_add(struct tree *t, struct tree_entry *entry);

// From memory. `path` may begin with a slash. `mode` has only the permissions.
void tree_add_directory(struct tree *t, const char *path, u32 mode);
void tree_add_text(struct tree *t, const char *path, u32 mode, const char *text);
void tree_add_bytes(struct tree *t, const char *path, u32 mode, const void *data, size_t size);
void tree_add_symlink(struct tree *t, const char *path, const char *target);
void tree_add_device(struct tree *t, const char *path, u32 mode, u32 major, u32 minor);

// "SRC:DEST" or "SRC:DEST:MODE": a file, a link's file, or a whole folder of the host. Owner is
// root, permissions are the host's (folders 755) or MODE (octal).
bool tree_add_host(struct tree *t, const char *spec, struct error *err) MUST_CHECK;
bool tree_add_host_file(struct tree *t, const char *source, const char *path, u32 mode,
                        struct error *err) MUST_CHECK;

// Sorts, drops what was replaced, adds the folders that are missing above an entry. Entries added
// since the last time are put where links of the settled ones lead: /bin/x goes to usr/bin/x when
// bin is a link to usr/bin. An error when a file stands where a folder is needed.
bool tree_settle(struct tree *t, struct error *err) MUST_CHECK;

// Only among the settled ones; NULL when there is none.
struct tree_entry *tree_find(struct tree *t, const char *path);

// Reads the content of a file or link into `into` (entry->size bytes).
bool tree_read(const struct tree_entry *entry, char *into, struct error *err) MUST_CHECK;
