// SPDX-License-Identifier: BSD-3-Clause
// Program loading as Linux does it (fs/binfmt_elf.c, fs/binfmt_script.c describe the behaviour), at
// fixed addresses. See exec_stack.c for the first stack.
#include "os/linux/exec.h"

#include "os/elf.h"
#include "os/linux/exec_priv.h"
#include "os/linux/signal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { SCRIPT_DEPTH = 5, SCRIPT_LINE = 256, HEAD_BYTES = 65536, STACK_AT_FIRST = 132 * 1024 };

// A program file that was opened and understood.
struct program {
    int fd; // owned
    struct elf elf;
    struct place place;
    u8 *head; // owned
    u64 head_bytes, file_bytes;
};

static void program_release(struct program *p)
{
    if (p->fd >= 0)
        close(p->fd);
    free(p->head);
    p->fd = -1;
    p->head = NULL;
}

static enum exec_result fail(struct error *err, int *ret_errno, int number, const char *what,
                             const char *path)
{
    *ret_errno = number;
    if (number == ENOENT)
        error_set(err, ERROR_INPUT, "%s '%s' does not exist", what, path);
    else
        error_set(err, ERROR_INPUT, "cannot execute %s '%s': %s", what, path, strerror(number));
    return number == ENOENT || number == ENOTDIR ? EXEC_NOT_FOUND : EXEC_NOT_EXECUTABLE;
}

static bool read_at(int fd, void *data, u64 size, u64 offset)
{
    u64 done = 0;

    while (done < size) {
        ssize_t n = pread(fd, (u8 *)data + done, size - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (u64)n;
    }
    return true;
}

static enum exec_result open_file(struct task *t, const char *path, const char *what,
                                  struct program *p, int *ret_errno, struct error *err)
{
    struct stat st;

    *p = (struct program){.fd = -1};
    p->fd = place_open(t, path, &p->place);
    if (p->fd < 0)
        return fail(err, ret_errno, -p->fd, what, path);
    if (fstat(p->fd, &st) != 0)
        return fail(err, ret_errno, errno, what, path);
    if (!S_ISREG(st.st_mode)) {
        fail(err, ret_errno, EACCES, what, path);
        error_set(err, ERROR_INPUT, "%s '%s' is %s, not a file", what, path,
                  S_ISDIR(st.st_mode) ? "a folder" : "a special file");
        return EXEC_NOT_EXECUTABLE;
    }
    if (!(st.st_mode & 0111)) {
        fail(err, ret_errno, EACCES, what, path);
        error_set(err, ERROR_INPUT, "%s '%s' is not executable (no x permission)", what, path);
        return EXEC_NOT_EXECUTABLE;
    }
    p->file_bytes = (u64)st.st_size;
    p->head_bytes = MIN(p->file_bytes, HEAD_BYTES);
    p->head = xcalloc(p->head_bytes + 1, 1);
    if (!read_at(p->fd, p->head, p->head_bytes, 0))
        return fail(err, ret_errno, EIO, what, path);
    return EXEC_OK;
}

static bool is_script(const struct program *p)
{
    return p->head_bytes >= 2 && p->head[0] == '#' && p->head[1] == '!';
}

static enum exec_result parse(struct program *p, const char *what, const char *path, int *ret_errno,
                              struct error *err)
{
    u64 need;

    if (elf_parse(p->head, p->head_bytes, p->file_bytes, &p->elf, &need, err))
        return EXEC_OK;
    if (need > p->head_bytes && need <= p->file_bytes) {
        p->head = xrealloc(p->head, need, 1);
        p->head_bytes = need;
        if (read_at(p->fd, p->head, need, 0) &&
            elf_parse(p->head, need, p->file_bytes, &p->elf, &need, err))
            return EXEC_OK;
    }
    *ret_errno = ENOEXEC;
    error_wrap(err, "cannot run %s '%s'", what, path);
    return EXEC_NOT_EXECUTABLE;
}

// "#!/bin/sh -e": the interpreter becomes the program, with at most one argument of its own.
static bool read_script_line(const struct program *p, char interpreter[SCRIPT_LINE],
                             char argument[SCRIPT_LINE])
{
    char line[SCRIPT_LINE];
    u64 n = MIN(p->head_bytes - 2, SCRIPT_LINE - 1);
    char *at, *end;

    memcpy(line, p->head + 2, n);
    line[n] = 0;
    line[strcspn(line, "\n")] = 0;
    at = line + strspn(line, " \t");
    end = at + strcspn(at, " \t");
    snprintf(interpreter, SCRIPT_LINE, "%.*s", (int)(end - at), at);
    at = end + strspn(end, " \t");
    n = strlen(at);
    while (n > 0 && (at[n - 1] == ' ' || at[n - 1] == '\t'))
        n--;
    snprintf(argument, SCRIPT_LINE, "%.*s", (int)n, at);
    return interpreter[0] != 0;
}

static void push_front(struct strings *s, const char *text)
{
    VEC_PUSH(s, NULL);
    memmove(&s->items[1], &s->items[0], (s->count - 1) * sizeof(s->items[0]));
    s->items[0] = xstrdup(text);
}

// Follows #! lines until a program is found; argv grows at its front.
static enum exec_result open_program(struct task *t, const char *path, struct strings *argv,
                                     struct program *p, int *ret_errno, struct error *err)
{
    char current[PATH_MAX], interpreter[SCRIPT_LINE], argument[SCRIPT_LINE];
    const char *what = "program";

    snprintf(current, sizeof(current), "%s", path);
    for (int depth = 0; depth < SCRIPT_DEPTH; depth++) {
        enum exec_result r = open_file(t, current, what, p, ret_errno, err);

        if (r != EXEC_OK || !is_script(p)) {
            if (r == EXEC_OK)
                r = parse(p, what, current, ret_errno, err);
            if (depth > 0 && r != EXEC_OK)
                error_wrap(err, "script '%s'", path);
            return r;
        }
        if (!read_script_line(p, interpreter, argument)) {
            *ret_errno = ENOEXEC;
            error_set(err, ERROR_INPUT, "script '%s' names no interpreter", current);
            return EXEC_NOT_EXECUTABLE;
        }
        program_release(p);
        if (argv->count > 0) {
            free(argv->items[0]);
            argv->items[0] = xstrdup(current);
        } else {
            push_front(argv, current);
        }
        if (argument[0])
            push_front(argv, argument);
        push_front(argv, interpreter);
        snprintf(current, sizeof(current), "%s", interpreter);
        what = "interpreter";
    }
    *ret_errno = ELOOP;
    error_set(err, ERROR_INPUT, "script '%s': interpreters of interpreters of interpreters", path);
    return EXEC_NOT_EXECUTABLE;
}

static enum exec_result open_interpreter(struct task *t, const struct program *p, const char *path,
                                         struct program *ret_interp, int *ret_errno,
                                         struct error *err)
{
    char name[4097] = "";
    enum exec_result r;

    if (!read_at(p->fd, name, p->elf.interp_bytes, p->elf.interp_offset) ||
        name[p->elf.interp_bytes - 1] != 0) {
        *ret_errno = ENOEXEC;
        error_set(err, ERROR_INPUT, "program '%s': corrupt name of the interpreter", path);
        return EXEC_NOT_EXECUTABLE;
    }
    r = open_file(t, name, "its interpreter", ret_interp, ret_errno, err);
    if (r == EXEC_OK)
        r = parse(ret_interp, "its interpreter", name, ret_errno, err);
    if (r != EXEC_OK)
        error_wrap(err, "program '%s'", path);
    return r;
}

static bool map_segment(struct kernel *k, struct mm *mm, struct mapping *map,
                        const struct elf_segment *s, vaddr bias)
{
    vaddr start = PAGE_ROUND_DOWN(s->va), file_end = s->va + s->file_bytes;
    vaddr end = PAGE_ROUND_UP(s->va + s->mem_bytes), mapped = PAGE_ROUND_UP(file_end);
    u32 prot = (s->read ? MM_READ : 0u) | (s->write ? MM_WRITE : 0u) | (s->exec ? MM_EXEC : 0u);

    if (s->file_bytes == 0)
        mapped = start;
    if (mapped > start && mm_map(mm, start + bias, mapped - start, prot, MM_FIXED, map,
                                 PAGE_ROUND_DOWN(s->offset)) < 0)
        return false;
    // What follows the file's part in its last page is zero.
    if (s->mem_bytes > s->file_bytes && s->write && mapped > start && file_end < mapped &&
        !mm_clear(mm, file_end + bias, mapped - file_end))
        return false;
    return end <= mapped || mm_map(mm, mapped + bias, end - mapped, prot, MM_FIXED, NULL, 0) >= 0;
}

static bool map_program(struct kernel *k, struct mm *mm, const struct program *p, vaddr bias)
{
    struct mapping *map = mapping_of_file(&k->mappings, p->fd, false, p->place.guest);
    bool ok = map != NULL;

    for (u32 i = 0; i < p->elf.n_segments && ok; i++)
        ok = map_segment(k, mm, map, &p->elf.segment[i], bias);
    if (map)
        mapping_unref(map);
    return ok;
}

// Where an image that can be anywhere goes: programs at a fixed place, interpreters on top.
static vaddr choose_bias(struct mm *mm, const struct elf *e, bool has_interpreter, bool main)
{
    u64 size = e->high - e->low;
    i64 va;

    if (e->kind == ELF_KIND_FIXED)
        return 0;
    if (main && has_interpreter)
        return ((MM_PIE_BASE + e->align - 1) & ~(e->align - 1)) - e->low;
    va = mm_map(mm, 0, size + e->align, 0, 0, NULL, 0);
    if (va < 0)
        return 0;
    mm_unmap(mm, (vaddr)va, size + e->align);
    return (((vaddr)va + e->align) & ~(e->align - 1)) - e->low;
}

struct image {
    struct program main, interp;
    bool has_interp;
    vaddr bias, interp_bias;
};

static bool build_memory(struct task *t, struct mm *mm, struct image *x)
{
    struct kernel *k = t->kernel;
    const struct elf *e = &x->main.elf;
    u32 prot = MM_READ | MM_WRITE | (e->exec_stack ? MM_EXEC : 0u);

    mm->stack_limit = t->process->limits[RLIMIT_STACK].rlim_cur;
    mm->data_limit = t->process->limits[RLIMIT_DATA].rlim_cur;
    if (mm_map(mm, MM_STACK_TOP - STACK_AT_FIRST, STACK_AT_FIRST, prot,
               MM_FIXED | MM_GROWS_DOWN | MM_STACK, NULL, 0) < 0)
        return false;
    x->bias = choose_bias(mm, e, x->has_interp, true);
    if (!map_program(k, mm, &x->main, x->bias))
        return false;
    mm->brk_start = mm->brk = PAGE_ROUND_UP(e->high + x->bias);
    // A static position-independent program lies under the stack: its heap gets room below.
    if (e->kind == ELF_KIND_DYN && !x->has_interp)
        mm->brk_start = mm->brk = MM_PIE_BASE;
    if (!x->has_interp)
        return true;
    x->interp_bias = choose_bias(mm, &x->interp.elf, false, false);
    return map_program(k, mm, &x->interp, x->interp_bias);
}

static void fresh_registers(struct task *t, vaddr pc, vaddr sp)
{
    struct kernel_cpu *c = &t->kernel->cpus[0];
    struct x86_arch_state *s;

    // The state of a core that was just set up, whatever CPU the task is on.
    kernel_unload(t);
    s = &t->regs;
    for (u32 i = 0; i < 16; i++)
        s->gpr[i] = 0;
    s->rflags = X86_IF | 2;
    memcpy(s->seg_sel, c->core->s.seg_sel, sizeof(s->seg_sel));
    memset(s->seg_base, 0, sizeof(s->seg_base));
    memset(s->x87, 0, sizeof(s->x87));
    memset(s->ymm, 0, sizeof(s->ymm));
    s->fcw = 0x37f;
    s->fsw = 0;
    s->ftw = 0;
    s->fip = s->fdp = 0;
    s->fop = 0;
    s->mxcsr = 0x1f80;
    s->gpr[X86_RSP] = sp;
    s->rip = pc;
}

// Signal handlers are gone with the memory; what was ignored stays so.
static void reset_signals(struct task *t)
{
    struct signal_table *fresh = xcalloc(1, sizeof(*fresh));

    fresh->refs = 1;
    for (u32 i = 0; i < SIGNALS; i++) {
        if (t->actions->action[i].handler == (u64)(uintptr_t)SIG_IGN)
            fresh->action[i].handler = (u64)(uintptr_t)SIG_IGN;
    }
    signal_table_unref(t->actions);
    t->actions = fresh;
    t->alt_stack = t->alt_stack_bytes = 0;
    t->alt_stack_flags = SS_DISABLE;
}

// The point of no return: t gets the new memory.
static void switch_to(struct task *t, struct mm *mm, const struct image *x, vaddr sp)
{
    const char *slash = strrchr(x->main.place.guest, '/');
    vaddr entry =
        x->has_interp ? x->interp.elf.entry + x->interp_bias : x->main.elf.entry + x->bias;

    process_keep_only(t);
    task_leave_mm(t);
    fresh_registers(t, entry, sp);
    mm_unref(t->mm);
    t->mm = mm;
    if (t->fds->refs > 1) {
        struct fd_table *own = fd_table_copy(t->fds);

        fd_table_unref(t->fds);
        t->fds = own;
    }
    fd_table_close_on_exec(t->fds);
    reset_signals(t);
    snprintf(t->comm, sizeof(t->comm), "%.15s", slash ? slash + 1 : x->main.place.guest);
    t->process->execed = true;
}

enum exec_result exec_load(struct task *t, const struct exec_args *args, int *ret_errno,
                           struct error *err)
{
    struct image *x = xcalloc(1, sizeof(*x));
    struct strings argv = {0};
    struct mm *mm = NULL;
    vaddr sp = 0;
    enum exec_result r;

    x->main.fd = x->interp.fd = -1;
    for (char **s = args->argv; *s; s++)
        VEC_PUSH(&argv, xstrdup(*s));
    r = open_program(t, args->path, &argv, &x->main, ret_errno, err);
    if (r == EXEC_OK && x->main.elf.interp_bytes > 0) {
        x->has_interp = true;
        r = open_interpreter(t, &x->main, args->path, &x->interp, ret_errno, err);
    }
    if (r != EXEC_OK)
        goto out;
    mm = mm_new(&t->kernel->env);
    if (mm && build_memory(t, mm, x)) {
        struct stack_image image = {.path = args->path,
                                    .argv = &argv,
                                    .envp = args->envp,
                                    .elf = &x->main.elf,
                                    .bias = x->bias,
                                    .interp_base = x->has_interp ? x->interp_bias : 0};

        mm->exe = xstrdup(x->main.place.guest);
        sp = exec_stack(t, mm, &image);
    }
    if (!sp) {
        *ret_errno = sp == 0 && mm ? E2BIG : ENOMEM;
        error_set(err, ERROR_RESOURCE,
                  "program '%s' does not fit: guest memory is full, its segments overlap others or "
                  "its arguments are too long",
                  args->path);
        mm_unref(mm);
        r = EXEC_FAILED;
        goto out;
    }
    switch_to(t, mm, x, sp);
out:
    for (size_t i = 0; i < argv.count; i++)
        free(argv.items[i]);
    free(argv.items);
    program_release(&x->main);
    program_release(&x->interp);
    free(x);
    return r;
}

static const char *find_path_variable(char *const *envp)
{
    for (; *envp; envp++) {
        if (strncmp(*envp, "PATH=", 5) == 0)
            return *envp + 5;
    }
    return "/usr/local/bin:/usr/bin:/bin";
}

char *exec_find(struct task *t, const char *name, char *const *envp)
{
    const char *at = find_path_variable(envp);

    if (strchr(name, '/'))
        return xstrdup(name);
    while (*at && *name) {
        size_t n = strcspn(at, ":");
        char *path = n ? xasprintf("%.*s/%s", (int)n, at, name) : xstrdup(name);
        struct place p;
        struct stat st;
        int fd = place_open(t, path, &p);
        bool good = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111);

        if (fd >= 0)
            close(fd);
        if (good)
            return path;
        free(path);
        at += n + (at[n] == ':');
    }
    return NULL;
}
