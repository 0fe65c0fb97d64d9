// SPDX-License-Identifier: BSD-3-Clause
// The table of the simulator's own files; their texts are made in synth_text.c.
#include "os/linux/synth.h"

#include "os/linux/synth_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum kind { TEXT, LINK, FOLDER, DEVICE };

struct node {
    const char *path; // "@" stands for a process, behind /proc
    enum kind kind;
    synth_text_fn *text; // of TEXT and LINK
};

static const struct node nodes[] = {
    {"/proc", FOLDER, NULL},
    {"/proc/cpuinfo", TEXT, synth_cpuinfo},
    {"/proc/meminfo", TEXT, synth_meminfo},
    {"/proc/stat", TEXT, synth_system_stat},
    {"/proc/uptime", TEXT, synth_uptime},
    {"/proc/loadavg", TEXT, synth_loadavg},
    {"/proc/version", TEXT, synth_version},
    {"/proc/filesystems", TEXT, synth_filesystems},
    {"/proc/mounts", TEXT, synth_mounts},
    {"/proc/self", LINK, synth_self},
    {"/proc/thread-self", LINK, synth_thread_self},
    {"/proc/sys", FOLDER, NULL},
    {"/proc/sys/kernel", FOLDER, NULL},
    {"/proc/sys/kernel/osrelease", TEXT, synth_osrelease},
    {"/proc/sys/kernel/ostype", TEXT, synth_ostype},
    {"/proc/sys/kernel/hostname", TEXT, synth_hostname},
    {"/proc/sys/kernel/pid_max", TEXT, synth_pid_max},
    {"/proc/sys/kernel/random", FOLDER, NULL},
    {"/proc/sys/kernel/random/boot_id", TEXT, synth_uuid},
    {"/proc/sys/kernel/random/uuid", TEXT, synth_uuid},
    {"/proc/sys/kernel/cap_last_cap", TEXT, synth_cap_last_cap},
    {"/proc/sys/vm", FOLDER, NULL},
    {"/proc/sys/vm/overcommit_memory", TEXT, synth_zero},
    {"/proc/sys/vm/max_map_count", TEXT, synth_max_map_count},
    {"/proc/sys/fs", FOLDER, NULL},
    {"/proc/sys/fs/pipe-max-size", TEXT, synth_pipe_max},
    {"/proc/@", FOLDER, NULL},
    {"/proc/@/auxv", TEXT, synth_auxv},
    {"/proc/@/cmdline", TEXT, synth_cmdline},
    {"/proc/@/comm", TEXT, synth_comm},
    {"/proc/@/cwd", LINK, synth_cwd},
    {"/proc/@/environ", TEXT, synth_environ},
    {"/proc/@/exe", LINK, synth_exe},
    {"/proc/@/fd", FOLDER, NULL},
    {"/proc/@/limits", TEXT, synth_limits},
    {"/proc/@/maps", TEXT, synth_maps},
    {"/proc/@/mountinfo", TEXT, synth_mountinfo},
    {"/proc/@/mounts", TEXT, synth_mounts},
    {"/proc/@/oom_score_adj", TEXT, synth_zero},
    {"/proc/@/root", LINK, synth_root},
    {"/proc/@/stat", TEXT, synth_stat_line},
    {"/proc/@/statm", TEXT, synth_statm},
    {"/proc/@/status", TEXT, synth_status},
    {"/proc/@/task", FOLDER, NULL},
    {"/dev/fd", LINK, synth_dev_fd},
    {"/dev/stdin", LINK, synth_stdin},
    {"/dev/stdout", LINK, synth_stdout},
    {"/dev/stderr", LINK, synth_stderr},
    {"/dev/null", DEVICE, NULL},
    {"/dev/zero", DEVICE, NULL},
    {"/dev/full", DEVICE, NULL},
    {"/dev/random", DEVICE, NULL},
    {"/dev/urandom", DEVICE, NULL},
    {"/dev/tty", DEVICE, NULL},
    {"/sys", FOLDER, NULL},
    {"/sys/devices", FOLDER, NULL},
    {"/sys/devices/system", FOLDER, NULL},
    {"/sys/devices/system/cpu", FOLDER, NULL},
    {"/sys/devices/system/cpu/online", TEXT, synth_cpu_list},
    {"/sys/devices/system/cpu/possible", TEXT, synth_cpu_list},
    {"/sys/devices/system/cpu/present", TEXT, synth_cpu_list},
};

static bool below(const char *path, const char *folder)
{
    size_t n = strlen(folder);

    return strncmp(path, folder, n) == 0 && (path[n] == 0 || path[n] == '/');
}

bool synth_owns(const char *guest)
{
    if (below(guest, "/proc") || below(guest, "/sys"))
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
        if (strncmp(nodes[i].path, "/dev/", 5) == 0 && below(guest, nodes[i].path))
            return true;
    }
    return false;
}

// Splits "/proc/1000/maps" into the process and "/proc/@/maps".
static struct process *split_process(struct task *t, const char *guest, char generic[PATH_MAX])
{
    struct process *p = t->process;
    char name[24];
    size_t n;
    char *end;
    long pid;

    snprintf(generic, PATH_MAX, "%s", guest);
    if (strncmp(guest, "/proc/", 6) != 0)
        return p;
    n = strcspn(guest + 6, "/");
    if (n == 0 || n >= sizeof(name))
        return p;
    memcpy(name, guest + 6, n);
    name[n] = 0;
    if ((strcmp(name, "self") == 0 || strcmp(name, "thread-self") == 0) && guest[6 + n]) {
        snprintf(generic, PATH_MAX, "/proc/@%s", guest + 6 + n);
        return p;
    }
    pid = strtol(name, &end, 10);
    if (*end || pid <= 0)
        return p;
    p = process_find(t->kernel, (int)pid);
    snprintf(generic, PATH_MAX, "/proc/@%s", guest + 6 + n);
    // /proc/@/task/TID/x is /proc/@/x
    return p && p->count > 0 ? p : NULL;
}

static void drop_task_part(char generic[PATH_MAX])
{
    const char *prefix = "/proc/@/task/";
    const char *rest;

    if (strncmp(generic, prefix, strlen(prefix)) != 0)
        return;
    rest = strchr(generic + strlen(prefix), '/');
    memmove(generic + 7, rest ? rest : "", strlen(rest ? rest : "") + 1);
}

static const struct node *find_node(const char *generic)
{
    for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
        if (strcmp(nodes[i].path, generic) == 0)
            return &nodes[i];
    }
    return NULL;
}

// The number in ".../fd/N", or -1.
static int fd_number(const char *generic)
{
    const char *prefix = "/proc/@/fd/";
    char *end;
    long n;

    if (strncmp(generic, prefix, strlen(prefix)) != 0)
        return -1;
    n = strtol(generic + strlen(prefix), &end, 10);
    return *end || end == generic + strlen(prefix) || n < 0 || n > 1 << 20 ? -1 : (int)n;
}

static const struct node *look_up(struct task *t, const char *guest, struct process **ret_process,
                                  int *ret_fd)
{
    char generic[PATH_MAX];

    *ret_process = split_process(t, guest, generic);
    *ret_fd = -1;
    if (!*ret_process)
        return NULL;
    drop_task_part(generic);
    *ret_fd = fd_number(generic);
    return find_node(generic);
}

static struct file *fd_file(struct process *p, int fd)
{
    return fd >= 0 ? fd_get(p->items[0], (u64)fd) : NULL;
}

struct file *synth_file(struct task *t, const char *guest)
{
    struct process *p;
    int fd;

    (void)look_up(t, guest, &p, &fd);
    return p ? fd_file(p, fd) : NULL;
}

i64 synth_readlink(struct task *t, const char *guest, char *text, u64 room)
{
    struct process *p;
    int fd;
    const struct node *node = look_up(t, guest, &p, &fd);
    struct file *f = p ? fd_file(p, fd) : NULL;
    AUTO(strbuf) struct strbuf s = {0};
    u64 n;

    if (f)
        strbuf_puts(&s, f->path);
    else if (node && node->kind == LINK)
        node->text(t, p, &s);
    else
        return node ? -EINVAL : -ENOENT;
    n = MIN(s.length, room);
    memcpy(text, s.text, n);
    return (i64)n;
}

bool synth_redirect(struct task *t, const char *guest, char text[PATH_MAX])
{
    static const char *const links[] = {"/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr"};
    struct process *p;
    int fd;
    const char *at;

    // /proc/self/cwd/file and /proc/self/root/file
    (void)look_up(t, guest, &p, &fd);
    if (p && strncmp(guest, "/proc/", 6) == 0) {
        at = strchr(guest + 6, '/');
        if (at && strncmp(at, "/cwd/", 5) == 0) {
            snprintf(text, PATH_MAX, "%s/%s", p->items[0]->fs->cwd, at + 5);
            return true;
        }
        if (at && strncmp(at, "/root/", 6) == 0) {
            snprintf(text, PATH_MAX, "/%s", at + 6);
            return true;
        }
        return false;
    }
    if (below(guest, links[0]) && guest[strlen(links[0])]) {
        snprintf(text, PATH_MAX, "/proc/self/fd%s", guest + strlen(links[0]));
        return true;
    }
    return false;
}

static i64 open_device(struct task *t, const char *guest, u32 flags, struct file **ret_file)
{
    int host;

    if (strcmp(guest, "/dev/tty") == 0)
        return -ENXIO;
    if (strcmp(guest, "/dev/random") == 0 || strcmp(guest, "/dev/urandom") == 0) {
        *ret_file = random_file_new(t->kernel, flags, xstrdup(guest));
        return 0;
    }
    host = open(guest, (int)(flags & O_ACCMODE) | O_CLOEXEC);
    if (host < 0)
        return -errno;
    *ret_file = host_file_new(t->kernel, host, flags, xstrdup(guest));
    return 0;
}

// Opening ".../fd/N" opens the file again if it is the host's, else shares it.
static i64 open_fd(struct task *t, struct file *f, u32 flags, struct file **ret_file)
{
    char host_path[64];
    int host;

    if (f->host < 0 || (f->type != S_IFREG && f->type != S_IFDIR)) {
        *ret_file = file_ref(f);
        return 0;
    }
    snprintf(host_path, sizeof(host_path), "/proc/self/fd/%d", f->host);
    host = open(host_path, (int)(flags & ~(u32)O_NOFOLLOW) | O_CLOEXEC);
    if (host < 0)
        return -errno;
    *ret_file = host_file_new(t->kernel, host, flags, xstrdup(f->path));
    return 0;
}

static i64 open_link(struct task *t, const struct node *node, struct process *p, u32 flags,
                     struct file **ret_file)
{
    AUTO(strbuf) struct strbuf s = {0};
    struct place place;
    i64 r;
    int host;

    if (flags & O_NOFOLLOW)
        return -ELOOP;
    node->text(t, p, &s);
    r = place_find(t, AT_FDCWD, strbuf_text(&s), PLACE_FOLLOW, &place);
    if (r < 0)
        return r;
    if (place.synthetic)
        return synth_open(t, place.guest, flags, ret_file);
    host = openat(place.at, place.path, (int)flags | O_CLOEXEC);
    if (host < 0)
        return -errno;
    *ret_file = host_file_new(t->kernel, host, flags, xstrdup(place.guest));
    return 0;
}

i64 synth_open(struct task *t, const char *guest, u32 flags, struct file **ret_file)
{
    struct process *p;
    int fd;
    const struct node *node = look_up(t, guest, &p, &fd);
    struct file *f = p ? fd_file(p, fd) : NULL;
    struct strbuf s = {0};

    if (f)
        return open_fd(t, f, flags, ret_file);
    if (!node)
        return flags & O_CREAT ? -EACCES : -ENOENT;
    switch (node->kind) {
    case DEVICE:
        return open_device(t, guest, flags, ret_file);
    case LINK:
        if (strcmp(guest, "/proc/self") != 0 && strcmp(guest, "/dev/fd") != 0)
            return open_link(t, node, p, flags, ret_file);
        break;
    case TEXT:
        if (strcmp(node->path, "/proc/@/comm") != 0 && (flags & O_ACCMODE) != O_RDONLY)
            return -EACCES;
        node->text(t, p, &s);
        *ret_file = memory_file_new(t->kernel, s.text, s.length, flags, xstrdup(guest));
        return 0;
    case FOLDER:
        break;
    }
    if ((flags & O_ACCMODE) != O_RDONLY)
        return -EISDIR;
    *ret_file = memory_file_new(t->kernel, NULL, 0, flags, xstrdup(guest));
    (*ret_file)->type = S_IFDIR;
    return 0;
}

i64 synth_stat(struct task *t, const char *guest, bool follow, struct stat *ret_stat)
{
    struct process *p;
    int fd;
    const struct node *node = look_up(t, guest, &p, &fd);
    struct file *f = p ? fd_file(p, fd) : NULL;
    struct stat st = {.st_mode = S_IFREG | 0444, .st_nlink = 1, .st_blksize = 1024, .st_dev = 5};

    if (f && follow && f->ops->status)
        return f->ops->status(f, ret_stat);
    if (!node && !f)
        return -ENOENT;
    st.st_ino = f ? 100000 + (u64)fd : (u64)(node - nodes) + 1;
    if (f || node->kind == LINK) {
        st.st_mode = S_IFLNK | 0777;
        if (node && follow) {
            struct file *opened = NULL;
            i64 r = synth_open(t, guest, O_RDONLY, &opened);

            if (r < 0 || !opened)
                return r;
            if (opened->ops->status)
                r = opened->ops->status(opened, ret_stat);
            file_unref(opened);
            return r;
        }
    } else if (node->kind == FOLDER) {
        st.st_mode = S_IFDIR | 0555;
        st.st_nlink = 2;
    } else if (node->kind == DEVICE) {
        if (strcmp(guest, "/dev/null") == 0 || strcmp(guest, "/dev/zero") == 0)
            return stat(guest, ret_stat) == 0 ? 0 : -errno;
        st.st_mode = S_IFCHR | 0666;
    }
    *ret_stat = st;
    return 0;
}

static void add_name(struct strbuf *s, const char *name)
{
    strbuf_add(s, name, strlen(name) + 1);
}

static void add_number(struct strbuf *s, u64 n)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
    add_name(s, text);
}

char *synth_list(struct task *t, const char *guest, u64 *ret_bytes)
{
    struct process *p;
    int fd;
    const struct node *node = look_up(t, guest, &p, &fd);
    struct strbuf s = {0};
    size_t n;

    if (!node)
        return NULL;
    add_name(&s, ".");
    add_name(&s, "..");
    n = strlen(node->path);
    for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
        const char *name = nodes[i].path + n + 1;

        if (strncmp(nodes[i].path, node->path, n) == 0 && nodes[i].path[n] == '/' &&
            !strchr(name, '/') && name[0] != '@')
            add_name(&s, name);
    }
    if (strcmp(node->path, "/proc") == 0) {
        for (size_t i = 0; i < t->kernel->processes.count; i++)
            add_number(&s, (u64)t->kernel->processes.items[i]->pid);
    } else if (strcmp(node->path, "/proc/@/fd") == 0 || strcmp(guest, "/dev/fd") == 0) {
        for (size_t i = 0; i < t->fds->count; i++) {
            if (t->fds->items[i].file)
                add_number(&s, i);
        }
    } else if (strcmp(node->path, "/proc/@/task") == 0) {
        for (size_t i = 0; i < p->count; i++)
            add_number(&s, (u64)p->items[i]->tid);
    } else if (strcmp(node->path, "/sys/devices/system/cpu") == 0) {
        for (u32 i = 0; i < t->kernel->n_cpus; i++) {
            char text[16];

            snprintf(text, sizeof(text), "cpu%u", i);
            add_name(&s, text);
        }
    }
    *ret_bytes = s.length;
    return s.text;
}
