// SPDX-License-Identifier: BSD-3-Clause
#include "image/ext4.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/units.h"
#include "image/program.h"
#include "image/tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { BLOCK_SIZE = 4096, INODE_SIZE = 256, BYTES_PER_INODE = 16384, SPARE_INODES = 1024 };
enum { SMALL_JOURNAL = 4, LARGE_JOURNAL = 16 }; // MiB

#define SMALL_SIZE MiB(256)
// Said in full, so that the host's mke2fs.conf has no say.
#define FEATURES                                                                      \
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg," \
    "sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum"

// ---- size ----

static u64 content_bytes(const struct tree *t)
{
    u64 blocks = 0;

    for (size_t i = 0; i < t->count; i++) {
        const struct tree_entry *entry = &t->items[i];
        u64 size = entry->link ? 0 : S_ISREG(entry->mode) ? entry->size : BLOCK_SIZE;

        blocks += (size + BLOCK_SIZE - 1) / BLOCK_SIZE;
    }
    return blocks * BLOCK_SIZE;
}

static u64 inode_count(const struct tree *t, u64 size)
{
    return MAX(size / BYTES_PER_INODE, t->count + t->count / 4 + SPARE_INODES);
}

// What must fit: content, inodes, journal, and a little for bitmaps and extents.
static u64 least_size(const struct tree *t)
{
    u64 content = content_bytes(t);

    return content + content / 64 + inode_count(t, content) * INODE_SIZE + MiB(SMALL_JOURNAL + 2);
}

static bool choose_size(const struct ext4 *e, const struct tree *t, u64 *ret_size,
                        struct error *err)
{
    u64 least = least_size(t);
    char wanted[40];

    if (e->size == 0) {
        *ret_size = (least + least / 4 + MiB(LARGE_JOURNAL)) / MiB(4) * MiB(4);
        return true;
    }
    if (e->size >= least && e->size % BLOCK_SIZE == 0) {
        *ret_size = e->size;
        return true;
    }
    unit_format(e->size, UNIT_BYTES, wanted);
    if (e->size % BLOCK_SIZE)
        return error_set(err, ERROR_USAGE, "the size %s is no multiple of 4KiB", wanted);
    return error_set(err, ERROR_INPUT, "the size %s is too small: the files take about %lluMiB",
                     wanted, (unsigned long long)(least / MiB(1) + 1));
}

// ---- an empty file system ----

static void make_uuid(const struct ext4 *e, const char *what, char text[37])
{
    AUTO_FREE char *seed = xasprintf("%s %s %llu", what, e->label, (unsigned long long)e->epoch);
    struct sha256_digest d = sha256_of(seed, strlen(seed));
    const u8 *b = d.bytes;

    // RFC 4122, version 4 by its bits
    snprintf(text, 37, "%02x%02x%02x%02x-%02x%02x-4%x%02x-8%x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6] & 15, b[7], b[8] & 15, b[9], b[10], b[11], b[12],
             b[13], b[14], b[15]);
}

static bool format(const struct ext4 *e, const struct tree *t, u64 size, const char *file,
                   const char *const *environment, struct error *err)
{
    char uuid[37], seed[37], inodes[24];
    AUTO_FREE char *extended = NULL;
    AUTO_FREE char *journal =
        xasprintf("size=%d", size < SMALL_SIZE ? SMALL_JOURNAL : LARGE_JOURNAL);
    const char *argv[] = {"mke2fs", "-q", "-F",    "-t",     "ext4", "-b",     "4096", "-I", "256",
                          "-m",     "1",  "-O",    FEATURES, "-L",   e->label, "-U",   uuid, "-N",
                          inodes,   "-J", journal, "-E",     NULL,   file,     NULL};
    struct program program = {.argv = argv, .environ = environment, .package = "e2fsprogs"};

    make_uuid(e, "file system", uuid);
    make_uuid(e, "hash seed", seed);
    snprintf(inodes, sizeof(inodes), "%llu", (unsigned long long)inode_count(t, size));
    extended = xasprintf("hash_seed=%s,root_owner=0:0,nodiscard,lazy_itable_init=0,"
                         "lazy_journal_init=0",
                         seed);
    argv[22] = extended;
    return program_run(&program, err);
}

// ---- filling it ----

struct filler {
    const struct ext4 *e;
    struct tree *tree;
    struct strbuf script;
    char *folder; // owned: where the script is now
};

static bool put_word(struct strbuf *s, const char *text, const struct tree_entry *entry,
                     struct error *err)
{
    if (strchr(text, '\n'))
        return error_set(err, ERROR_INPUT, "'/%s': a line feed in a name or link is not possible",
                         entry->path);
    strbuf_puts(s, " \"");
    for (; *text; text++)
        strbuf_printf(s, "%s%c", *text == '"' ? "\"" : "", *text);
    strbuf_putc(s, '"');
    return true;
}

static const char *name_of(const struct tree_entry *entry)
{
    const char *slash = strrchr(entry->path, '/');

    return slash ? slash + 1 : entry->path;
}

// debugfs' command `write` takes only a name in the current folder.
static bool go_to_parent(struct filler *f, const struct tree_entry *entry, struct error *err)
{
    AUTO_FREE char *parent = xasprintf("/%s", entry->path);

    *strrchr(parent, '/') = '\0';
    if (f->folder && strcmp(f->folder, parent) == 0)
        return true;
    free(f->folder);
    f->folder = xstrdup(parent);
    strbuf_puts(&f->script, "cd");
    if (!put_word(&f->script, parent[0] ? parent : "/", entry, err))
        return false;
    strbuf_putc(&f->script, '\n');
    return true;
}

// Puts bytes where debugfs can take them from; the name is the number.
static bool stage(struct filler *f, const char *kind, size_t number, const void *data, size_t size,
                  u32 mode, struct error *err)
{
    AUTO_FREE char *path = xasprintf("%s/%s%zu", f->e->scratch, kind, number);
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return error_set_errno(err, "cannot create '%s'", path);
    if (!file_write_fd(fd, data, size, path, err))
        return false;
    // The mode goes into the image.
    return fchmod(fd, (mode & 07777) | 0400) == 0 ||
           error_set_errno(err, "cannot set the mode of '%s'", path);
}

static bool put_field(struct filler *f, const struct tree_entry *entry, const char *name,
                      const char *field, const char *format, i64 value, struct error *err)
{
    strbuf_puts(&f->script, "sif");
    if (!put_word(&f->script, name, entry, err))
        return false;
    strbuf_printf(&f->script, " %s ", field);
    strbuf_printf(&f->script,
                  format[0] == 'o'   ? "0%llo\n"
                  : format[0] == '@' ? "@%lld\n"
                                     : "%lld\n",
                  (long long)value);
    return true;
}

static bool put_fields(struct filler *f, const struct tree_entry *entry, const char *name,
                       struct error *err)
{
    i64 mtime = entry->mtime < 0 ? 0 : MIN(entry->mtime, (i64)f->e->epoch);
    static const char *const others[] = {"atime", "ctime", "crtime"};

    if (!put_field(f, entry, name, "mode", "o", entry->mode, err) ||
        !put_field(f, entry, name, "uid", "d", entry->uid, err) ||
        !put_field(f, entry, name, "gid", "d", entry->gid, err) ||
        !put_field(f, entry, name, "mtime", "@", mtime, err))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        if (!put_field(f, entry, name, others[i], "@", (i64)f->e->epoch, err))
            return false;
    }
    return true;
}

static bool put_attributes(struct filler *f, const struct tree_entry *entry, size_t number,
                           struct error *err)
{
    for (size_t i = 0; i < entry->attribute_count; i++) {
        const struct tree_attribute *a = &entry->attributes[i];
        size_t file = number * 64 + i; // as many as fit

        if (i == 64)
            return error_set(err, ERROR_INPUT, "'/%s' has too many extended attributes",
                             entry->path);
        if (!stage(f, "attribute", file, a->value, a->size, 0600, err))
            return false;
        strbuf_printf(&f->script, "ea_set -f attribute%zu", file);
        if (!put_word(&f->script, name_of(entry), entry, err) ||
            !put_word(&f->script, a->name, entry, err))
            return false;
        strbuf_putc(&f->script, '\n');
    }
    return true;
}

static bool put_file(struct filler *f, const struct tree_entry *entry, size_t number,
                     struct error *err)
{
    AUTO_FREE char *content = xcalloc(1, entry->size + 1);

    if (!tree_read(entry, content, err) ||
        !stage(f, "file", number, content, entry->size, entry->mode, err))
        return false;
    strbuf_printf(&f->script, "write file%zu", number);
    return put_word(&f->script, name_of(entry), entry, err);
}

// The command that makes it.
static bool put_entry(struct filler *f, const struct tree_entry *entry, size_t number,
                      struct error *err)
{
    const char *name = name_of(entry);
    struct strbuf *s = &f->script;

    switch (entry->mode & S_IFMT) {
    case S_IFREG:
        return put_file(f, entry, number, err);
    case S_IFDIR:
        strbuf_puts(s, "mkdir");
        return put_word(s, name, entry, err);
    case S_IFLNK:
        strbuf_puts(s, "symlink");
        return put_word(s, name, entry, err) && put_word(s, entry->data, entry, err);
    case S_IFIFO:
        strbuf_puts(s, "mknod");
        if (!put_word(s, name, entry, err))
            return false;
        strbuf_puts(s, " p");
        return true;
    default:
        strbuf_puts(s, "mknod");
        if (!put_word(s, name, entry, err))
            return false;
        strbuf_printf(s, " %c %u %u", S_ISBLK(entry->mode) ? 'b' : 'c', entry->major, entry->minor);
        return true;
    }
}

// Hard links come when all files are there; debugfs leaves the count of links to us.
static bool put_links(struct filler *f, struct error *err)
{
    struct tree *t = f->tree;

    for (size_t i = 0; i < t->count; i++) {
        struct tree_entry *entry = &t->items[i];
        struct tree_entry *target = entry->link ? tree_find(t, entry->link) : NULL;
        AUTO_FREE char *from = xasprintf("/%s", entry->link ? entry->link : "");

        if (!entry->link)
            continue;
        if (!target || target->link || !S_ISREG(target->mode))
            return error_set(err, ERROR_INPUT, "'/%s' is a link to '%s', which is no file",
                             entry->path, from);
        if (!go_to_parent(f, entry, err))
            return false;
        strbuf_puts(&f->script, "ln");
        if (!put_word(&f->script, from, entry, err) ||
            !put_word(&f->script, name_of(entry), entry, err))
            return false;
        strbuf_putc(&f->script, '\n');
        target->links++;
        if (!put_field(f, entry, name_of(entry), "links_count", "d", target->links + 1, err))
            return false;
    }
    return true;
}

static bool make_script(struct filler *f, struct error *err)
{
    struct tree *t = f->tree;

    for (size_t i = 0; i < t->count; i++) {
        const struct tree_entry *entry = &t->items[i];

        if (entry->link || strcmp(entry->path, "lost+found") == 0)
            continue;
        if (!entry->path[0]) {
            if (!put_fields(f, entry, "/", err))
                return false;
            continue;
        }
        if (!go_to_parent(f, entry, err) || !put_entry(f, entry, i, err))
            return false;
        strbuf_putc(&f->script, '\n');
        if (!put_attributes(f, entry, i, err) || !put_fields(f, entry, name_of(entry), err))
            return false;
    }
    return put_links(f, err);
}

// debugfs' exit status is 0 whatever happens: it complains in lines "NAME: what", after one with
// its version.
static bool check_complaints(const struct strbuf *said, struct error *err)
{
    const char *line = strbuf_text(said);

    line += strcspn(line, "\n");
    line += *line == '\n';
    if (!*line)
        return true;
    if (strstr(line, "Could not allocate") || strstr(line, "No free space"))
        return error_set(err, ERROR_INPUT, "the size of the image is too small for the files");
    return error_set(err, strstr(line, "No space left") ? ERROR_RESOURCE : ERROR_HOST,
                     "debugfs: %.*s", (int)strcspn(line, "\n"), line);
}

static bool fill(struct filler *f, const char *file, const char *const *environment,
                 struct error *err)
{
    AUTO_FREE char *path = xasprintf("%s/script", f->e->scratch);
    AUTO(strbuf) struct strbuf complaints = {0};
    const char *argv[] = {"debugfs", "-w", "-f", "script", file, NULL};
    struct program program = {.argv = argv,
                              .environ = environment,
                              .folder = f->e->scratch,
                              .package = "e2fsprogs",
                              .complaints = &complaints};

    return make_script(f, err) && file_write(path, f->script.text, f->script.length, err) &&
           program_run(&program, err) && check_complaints(&complaints, err);
}

bool ext4_write(const struct ext4 *e, struct tree *t, const char *file, struct error *err)
{
    AUTO_FREE char *fake_time = xasprintf("E2FSPROGS_FAKE_TIME=%llu", (unsigned long long)e->epoch);
    AUTO_FREE char *source_date = xasprintf("SOURCE_DATE_EPOCH=%llu", (unsigned long long)e->epoch);
    const char *const environment[] = {fake_time, source_date, NULL};
    struct filler filler = {.e = e, .tree = t};
    u64 size = 0;
    bool good;

    if (!choose_size(e, t, &size, err))
        return false;
    if (truncate(file, (off_t)size) < 0)
        return error_set_errno(err, "cannot make '%s' large enough", file);
    good = format(e, t, size, file, environment, err) && fill(&filler, file, environment, err);
    strbuf_release(&filler.script);
    free(filler.folder);
    return good;
}
