// SPDX-License-Identifier: BSD-3-Clause
// Whole files. Writing is atomic and durable: readers see the old file or the new one, also after
// a power cut.
#pragma once

#include "base/error.h"
#include "base/strbuf.h"

// Appends the file's content to *out; refuses more than `max` bytes.
bool file_read(const char *path, u64 max, struct strbuf *out, struct error *err) MUST_CHECK;

// Writes a temporary file beside `path`, syncs it, renames it over `path`, syncs the directory. A
// link is followed; a device, a pipe and what is under /dev and /proc is written to in place.
bool file_write(const char *path, const void *data, size_t size, struct error *err) MUST_CHECK;

// Writes all of it to a descriptor; `what` names it in the message.
bool file_write_fd(int fd, const void *data, size_t size, const char *what,
                   struct error *err) MUST_CHECK;
bool file_sync(int fd, const char *what, struct error *err) MUST_CHECK;
bool file_sync_directory(const char *path, struct error *err) MUST_CHECK;
// Syncs the directory that holds `path`.
bool file_sync_parent(const char *path, struct error *err) MUST_CHECK;

// Makes a new empty file (returns its descriptor) or directory called "PATH.tmp-" and something,
// which *ret_path (to be freed) tells. -1 or false on failure.
int file_make_unique(const char *path, char **ret_path, struct error *err) MUST_CHECK;
bool file_make_unique_directory(const char *path, char **ret_path, struct error *err) MUST_CHECK;

bool file_exists(const char *path);
// Makes `path` and the directories above it.
bool file_make_directories(const char *path, struct error *err) MUST_CHECK;
// Removes a file or a whole tree (never follows a link); fine when there is none.
bool file_remove_tree(const char *path, struct error *err) MUST_CHECK;
