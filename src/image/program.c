// SPDX-License-Identifier: BSD-3-Clause
#include "image/program.h"

#include "base/alloc.h"
#include "base/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

enum { OUTPUT, COMPLAINTS, PIPES };
enum { LAST_LINES = 3 };

// ---- what it said ----

// The line without the white space around it.
static void trim(const char **line, size_t *length)
{
    while (*length && isspace((unsigned char)(*line)[0])) {
        ++*line;
        --*length;
    }
    while (*length && isspace((unsigned char)(*line)[*length - 1]))
        --*length;
}

void program_last_words(const struct strbuf *said, char *text, size_t size)
{
    const char *end = strbuf_text(said) + said->length;
    const char *lines[LAST_LINES];
    size_t lengths[LAST_LINES], count = 0, used = 0;

    text[0] = '\0';
    while (end > said->text && count < LAST_LINES) {
        const char *start = end;
        size_t length;

        while (start > said->text && start[-1] != '\n' && start[-1] != '\r')
            start--;
        length = (size_t)(end - start);
        end = start > said->text ? start - 1 : start;
        trim(&start, &length);
        if (length == 0)
            continue;
        lines[count] = start;
        lengths[count++] = length;
    }
    while (count-- > 0 && used < size) {
        int n = snprintf(text + used, size - used, "%s%.*s", used ? "; " : "",
                         (int)MIN(lengths[count], 160), lines[count]);

        used += (size_t)n;
    }
}

static bool complain(const struct program *p, int status, const struct strbuf *said,
                     struct error *err)
{
    char words[400];

    program_last_words(said, words, sizeof(words));
    if (WIFSIGNALED(status))
        return error_set(err, ERROR_HOST, "%s was ended by signal %d", p->argv[0],
                         WTERMSIG(status));
    return error_set(err, strstr(words, "No space left") ? ERROR_RESOURCE : ERROR_INPUT,
                     "%s failed with exit status %d%s%s", p->argv[0], WEXITSTATUS(status),
                     words[0] ? ": " : "", words);
}

// ---- running it ----

static bool is_overridden(const char *variable, const char *const *changes)
{
    size_t length = strcspn(variable, "=") + 1;

    for (; changes && *changes; changes++) {
        if (strncmp(*changes, variable, length) == 0)
            return true;
    }
    return false;
}

// Messages are read by us: in English. The administrator's folders hold mke2fs and the like.
static char **make_environment(const struct program *p, char *path)
{
    VEC(char *) all = {0};

    for (char **v = environ; *v; v++) {
        if (strncmp(*v, "PATH=", 5) != 0 && strncmp(*v, "LC_", 3) != 0 &&
            strncmp(*v, "LANG", 4) != 0 && !is_overridden(*v, p->environ))
            VEC_PUSH(&all, *v);
    }
    VEC_PUSH(&all, path);
    VEC_PUSH(&all, "LC_ALL=C.UTF-8");
    for (const char *const *v = p->environ; v && *v; v++)
        VEC_PUSH(&all, (char *)*v);
    VEC_PUSH(&all, NULL);
    return all.items;
}

static char *make_path(void)
{
    for (char **v = environ; *v; v++) {
        if (strncmp(*v, "PATH=", 5) == 0)
            return xasprintf("%s:/usr/sbin:/sbin:/usr/bin:/bin", *v);
    }
    return xstrdup("PATH=/usr/sbin:/sbin:/usr/bin:/bin");
}

// The full name of the program, or NULL. `path` is "PATH=folder:folder".
static char *find(const char *name, const char *path)
{
    if (strchr(name, '/'))
        return xstrdup(name);
    for (const char *folder = path + 5; *folder;) {
        size_t length = strcspn(folder, ":");
        char *full = xasprintf("%.*s/%s", (int)length, folder, name);

        if (length && access(full, X_OK) == 0)
            return full;
        free(full);
        folder += length + (folder[length] == ':');
    }
    return NULL;
}

static bool say_missing(const char *name, const char *package, struct error *err)
{
    return error_set(err, ERROR_UNSUPPORTED,
                     "the program %s is missing: install the Debian package %s", name, package);
}

bool program_check(const char *name, const char *package, struct error *err)
{
    AUTO_FREE char *path = make_path();
    AUTO_FREE char *file = find(name, path);

    return file || say_missing(name, package, err);
}

static bool start(const struct program *p, const int to[PIPES], pid_t *ret_child, struct error *err)
{
    AUTO_FREE char *path = make_path();
    AUTO_FREE char *file = find(p->argv[0], path);
    AUTO_FREE char **variables = make_environment(p, path);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;

    if (!file)
        return say_missing(p->argv[0], p->package, err);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, to[OUTPUT], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, to[COMPLAINTS], STDERR_FILENO);
    if (p->folder)
        posix_spawn_file_actions_addchdir_np(&actions, p->folder);
    // We ignore SIGPIPE; programs do not expect that.
    posix_spawnattr_init(&attributes);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    errno = posix_spawn(ret_child, file, &actions, &attributes, (char *const *)p->argv, variables);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return errno == 0 || error_set_errno(err, "cannot run '%s'", file);
}

// Reads both pipes to their ends.
static bool collect(const int from[PIPES], struct strbuf *const into[PIPES], struct error *err)
{
    struct pollfd polled[PIPES];
    int open_pipes = PIPES;
    char buffer[16384];

    for (int i = 0; i < PIPES; i++)
        polled[i] = (struct pollfd){.fd = from[i], .events = POLLIN};
    while (open_pipes) {
        if (poll(polled, PIPES, -1) < 0) {
            if (errno == EINTR)
                continue;
            return error_set_errno(err, "cannot wait for a program's output");
        }
        for (int i = 0; i < PIPES; i++) {
            ssize_t n;

            if (polled[i].fd < 0 || !polled[i].revents)
                continue;
            n = read(from[i], buffer, sizeof(buffer));
            if (n > 0) {
                strbuf_add(into[i], buffer, (size_t)n);
            } else if (n == 0 || errno != EINTR) {
                polled[i].fd = -1;
                open_pipes--;
            }
        }
    }
    return true;
}

bool program_run(const struct program *program, struct error *err)
{
    AUTO(strbuf) struct strbuf output = {0}, complaints = {0};
    struct strbuf *into[PIPES] = {program->output ? program->output : &output,
                                  program->complaints ? program->complaints : &complaints};
    int pipes[PIPES][2], status = 0;
    pid_t child;
    bool good;

    for (int i = 0; i < PIPES; i++) {
        if (pipe2(pipes[i], O_CLOEXEC) == 0)
            continue;
        error_set_errno(err, "cannot make a pipe");
        while (i-- > 0) {
            close(pipes[i][0]);
            close(pipes[i][1]);
        }
        return false;
    }
    good = start(program, (int[]){pipes[OUTPUT][1], pipes[COMPLAINTS][1]}, &child, err);
    close(pipes[OUTPUT][1]);
    close(pipes[COMPLAINTS][1]);
    if (good) {
        good = collect((int[]){pipes[OUTPUT][0], pipes[COMPLAINTS][0]}, into, err);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    close(pipes[OUTPUT][0]);
    close(pipes[COMPLAINTS][0]);
    if (!good)
        return false;
    if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || program->quiet_failure))
        return true;
    return complain(program, status, into[COMPLAINTS], err);
}
