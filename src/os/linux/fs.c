// SPDX-License-Identifier: BSD-3-Clause
#include "os/linux/fs.h"

#include "os/linux/synth.h"
#include "os/linux/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { LINKS_MAX = 40 };

// Joins and removes ".", ".." and double slashes, as text. False if it is too long.
static bool normalise(const char *base, const char *path, char out[PATH_MAX])
{
    const char *parts[2] = {path[0] == '/' ? "" : base, path};
    size_t n = 0;

    for (int i = 0; i < 2; i++) {
        const char *p = parts[i];

        while (*p) {
            size_t length = strcspn(p, "/");

            if (length == 2 && p[0] == '.' && p[1] == '.') {
                while (n > 0 && out[--n] != '/')
                    ;
            } else if (length > 0 && !(length == 1 && p[0] == '.')) {
                if (n + length + 2 > PATH_MAX)
                    return false;
                out[n++] = '/';
                memcpy(out + n, p, length);
                n += length;
            }
            p += length;
            p += *p == '/';
        }
    }
    if (n == 0)
        out[n++] = '/';
    out[n] = 0;
    return true;
}

struct fs *fs_new(struct kernel *k, const char *cwd, struct error *err)
{
    struct fs *fs = xcalloc(1, sizeof(*fs));
    char text[PATH_MAX];

    fs->refs = 1;
    fs->umask = 022;
    if (cwd && !normalise("/", cwd, text)) {
        error_set(err, ERROR_INPUT, "the working folder's name is too long");
        goto fail;
    }
    if (!cwd && (k->root || !getcwd(text, sizeof(text))))
        snprintf(text, sizeof(text), "/");
    fs->cwd = xstrdup(text);
    if (k->root)
        fs->cwd_host =
            openat(k->root_fd, text[1] ? text + 1 : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    else
        fs->cwd_host = open(text, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fs->cwd_host < 0) {
        error_set_errno(err, "cannot use '%s' as the working folder", text);
        goto fail;
    }
    return fs;
fail:
    free(fs->cwd);
    free(fs);
    return NULL;
}

struct fs *fs_copy(const struct fs *from)
{
    struct fs *fs = xcalloc(1, sizeof(*fs));

    *fs = *from;
    fs->refs = 1;
    fs->cwd = xstrdup(from->cwd);
    fs->cwd_host = fcntl(from->cwd_host, F_DUPFD_CLOEXEC, 3);
    return fs;
}

struct fs *fs_ref(struct fs *fs)
{
    fs->refs++;
    return fs;
}

void fs_unref(struct fs *fs)
{
    if (!fs || --fs->refs > 0)
        return;
    if (fs->cwd_host >= 0)
        close(fs->cwd_host);
    free(fs->cwd);
    free(fs);
}

// Resolves links in place->guest below the root folder, component by component: a link cannot lead
// out of it. `follow`: also the last one.
static i64 walk_in_root(struct kernel *k, char guest[PATH_MAX], bool follow)
{
    char done[PATH_MAX] = "", rest[PATH_MAX], link[PATH_MAX], joined[PATH_MAX];
    int links = 0;

    memcpy(rest, guest, PATH_MAX);
    while (rest[0]) {
        size_t skip = strspn(rest, "/"), length = strcspn(rest + skip, "/");
        bool last = rest[skip + length] == 0;
        char part[PATH_MAX];
        ssize_t n;

        if (length == 0)
            break;
        if (snprintf(part, sizeof(part), "%s/%.*s", done, (int)length, rest + skip) >= PATH_MAX)
            return -ENAMETOOLONG;
        n = last && !follow ? -1 : readlinkat(k->root_fd, part + 1, link, sizeof(link) - 1);
        memmove(rest, rest + skip + length, strlen(rest + skip + length) + 1);
        if (n < 0 || synth_owns(part)) {
            memcpy(done, part, PATH_MAX);
            continue;
        }
        if (++links > LINKS_MAX)
            return -ELOOP;
        link[n] = 0;
        if (!normalise(done, link, joined) || strlen(joined) + strlen(rest) + 2 > PATH_MAX)
            return -ENAMETOOLONG;
        strncat(joined, rest, PATH_MAX - strlen(joined) - 1);
        memcpy(rest, joined, PATH_MAX);
        done[0] = 0;
    }
    memcpy(guest, done[0] ? done : "/", strlen(done[0] ? done : "/") + 1);
    return 0;
}

static bool has_trailing_slash(const char *path)
{
    size_t n = strlen(path);

    return n > 1 && path[n - 1] == '/';
}

static i64 place_host(struct task *t, const char *path, u32 flags, int at, struct place *p)
{
    struct kernel *k = t->kernel;

    if (!k->root) {
        p->at = path[0] == '/' ? AT_FDCWD : at;
        snprintf(p->path, sizeof(p->path), "%s", path);
        return 0;
    }
    if (!p->synthetic) {
        bool slash = has_trailing_slash(path);
        i64 r = walk_in_root(k, p->guest, (flags & PLACE_FOLLOW) || slash);

        if (r < 0)
            return r;
        p->synthetic = synth_owns(p->guest);
        if (snprintf(p->path, sizeof(p->path), "%s%s", p->guest[1] ? p->guest + 1 : ".",
                     slash ? "/" : "") >= PATH_MAX)
            return -ENAMETOOLONG;
    }
    p->at = k->root_fd;
    return 0;
}

i64 place_find(struct task *t, int dirfd, const char *path, u32 flags, struct place *ret_place)
{
    struct place *p = ret_place;
    const char *base = t->fs->cwd;
    int at = t->fs->cwd_host;
    struct file *f = NULL;
    char redirected[PATH_MAX];

    p->synthetic = false;
    p->file = NULL;
    p->path[0] = 0;
    if (dirfd != AT_FDCWD && path[0] != '/') {
        f = fd_get(t, (u64)(i64)dirfd);
        if (!f)
            return -EBADF;
        base = f->path;
        at = f->host;
    }
    if (!path[0]) {
        if (!(flags & PLACE_EMPTY))
            return -ENOENT;
        if (f) {
            p->file = f;
            p->at = f->host;
            snprintf(p->guest, sizeof(p->guest), "%s", f->path);
            return 0;
        }
        path = ".";
    }
    if (f && f->type != S_IFDIR)
        return -ENOTDIR;
    if (!normalise(base, path, p->guest))
        return -ENAMETOOLONG;
    p->synthetic = synth_owns(p->guest);
    if (p->synthetic && synth_redirect(t, p->guest, redirected)) {
        path = redirected;
        at = t->fs->cwd_host;
        if (!normalise("/", path, p->guest))
            return -ENAMETOOLONG;
        p->synthetic = synth_owns(p->guest);
    }
    return place_host(t, path, flags, at, p);
}

i64 place_user(struct task *t, u64 dirfd, vaddr path, u32 flags, struct place *ret_place)
{
    char text[PATH_MAX];
    i64 n = mm_read_string(t->mm, path, text, sizeof(text));

    return n < 0 ? n : place_find(t, (int)dirfd, text, flags, ret_place);
}

int place_open(struct task *t, const char *path, struct place *ret_place)
{
    i64 r = place_find(t, AT_FDCWD, path, PLACE_FOLLOW, ret_place);
    int fd;

    if (r < 0)
        return (int)r;
    if (ret_place->synthetic)
        return -EACCES;
    fd = openat(ret_place->at, ret_place->path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}
