// SPDX-License-Identifier: BSD-3-Clause
// Addresses of sockets: names in the file system and abstract ones (unix(7)), and the loopback
// addresses of inet and inet6 (ip(7), ipv6(7)). A name in the file system is an inode of the
// host's; who is behind it is known here only, so that no process of the host can be reached.
#include "os/linux/file_times.h"
#include "os/linux/fs.h"
#include "os/linux/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

enum { PATH_AT = offsetof(struct sockaddr_un, sun_path), PORT_FIRST = 32768, PORT_LAST = 60999 };

// Both inet families in one form: IPv4 as ::ffff:a.b.c.d.
struct end {
    u8 address[16];
    u16 port;
};

static const u8 mapped[12] = {[10] = 0xff, [11] = 0xff};

static struct end end_of(const struct socket_name *name)
{
    struct end e = {0};
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (name->family == AF_INET) {
        memcpy(&in, name->bytes, sizeof(in));
        memcpy(e.address, mapped, sizeof(mapped));
        memcpy(e.address + 12, &in.sin_addr, 4);
        e.port = ntohs(in.sin_port);
    } else {
        memcpy(&in6, name->bytes, sizeof(in6));
        memcpy(e.address, &in6.sin6_addr, 16);
        e.port = ntohs(in6.sin6_port);
    }
    return e;
}

static struct socket_name name_of(int family, const struct end *e)
{
    struct socket_name name = {0};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(e->port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(e->port)};

    if (family == AF_INET) {
        memcpy(&in.sin_addr, e->address + 12, 4);
        name.length = sizeof(in);
        memcpy(name.bytes, &in, sizeof(in));
    } else {
        memcpy(&in6.sin6_addr, e->address, 16);
        name.length = sizeof(in6);
        memcpy(name.bytes, &in6, sizeof(in6));
    }
    return name;
}

static bool is_v4(const struct end *e)
{
    return memcmp(e->address, mapped, sizeof(mapped)) == 0;
}

static bool is_any(const struct end *e)
{
    static const u8 zeros[16];

    return memcmp(e->address, zeros, 16) == 0 ||
           (is_v4(e) && memcmp(e->address + 12, zeros, 4) == 0);
}

static bool is_loopback(const struct end *e)
{
    static const u8 one[16] = {[15] = 1};

    return is_v4(e) ? e->address[12] == 127 : memcmp(e->address, one, 16) == 0;
}

struct socket_name socket_unspecified(const struct socket *s)
{
    struct end none = {0};

    if (socket_is_unix(s))
        return (struct socket_name){.length = PATH_AT, .family = AF_UNIX};
    return name_of(s->family, &none);
}

struct socket_name socket_name_for(const struct socket *s, const struct socket_name *name)
{
    struct end e;

    if (socket_is_unix(s) || name->length == 0)
        return *name;
    e = end_of(name);
    return name_of(s->family, &e);
}

static void loopback_of(struct end *e, bool v4)
{
    if (is_any(e))
        memcpy(e->address, v4 ? (u8[16]){[10] = 0xff, 0xff, 127, 0, 0, 1} : (u8[16]){[15] = 1}, 16);
}

void socket_name_local(struct socket *s)
{
    struct end e = end_of(&s->name), to = end_of(s->remote.length ? &s->remote : &s->name);

    loopback_of(&to, s->family == AF_INET || is_v4(&to));
    loopback_of(&e, is_v4(&to));
    s->name = name_of(s->family, &e);
    if (s->remote.length)
        s->remote = name_of(s->family, &to);
}

i64 socket_name_check(const struct socket *s, const struct socket_name *name)
{
    if (name->length < sizeof(u16))
        return -EINVAL;
    if (socket_is_unix(s)) {
        if (name->family != AF_UNIX || name->length > sizeof(struct sockaddr_un))
            return -EINVAL;
        return 0;
    }
    // An IPv4 address does not fit an inet6 socket, nor the other way round.
    if (name->length < (s->family == AF_INET ? sizeof(struct sockaddr_in) : 24))
        return -EINVAL;
    return name->family == s->family ? 0 : -EAFNOSUPPORT;
}

// ---- inet ----

static bool same_protocol(const struct socket *a, const struct socket *b)
{
    return !socket_is_unix(a) && !socket_is_unix(b) && a->protocol == b->protocol;
}

static bool only_v6(const struct socket *s)
{
    return s->family == AF_INET6 && socket_option(s, IPPROTO_IPV6, IPV6_V6ONLY);
}

// Whether a socket that is bound to `local` takes what comes for the address of `e`.
static bool takes(const struct socket *s, const struct end *local, const struct end *e)
{
    if (is_any(local))
        return is_v4(e) ? s->family == AF_INET || (!is_v4(local) && !only_v6(s))
                        : s->family == AF_INET6;
    return memcmp(local->address, e->address, 16) == 0;
}

static bool conflict(const struct socket *s, const struct end *wanted, const struct socket *other)
{
    struct end has = end_of(&other->name);
    bool both;

    if (other == s || has.port != wanted->port || has.port == 0)
        return false;
    if (!takes(other, &has, wanted) && !takes(s, wanted, &has) &&
        !(is_any(wanted) && is_any(&has) && s->family == other->family))
        return false;
    both = socket_option(s, SOL_SOCKET, SO_REUSEPORT) &&
           socket_option(other, SOL_SOCKET, SO_REUSEPORT);
    if (socket_option(s, SOL_SOCKET, SO_REUSEADDR) &&
        socket_option(other, SOL_SOCKET, SO_REUSEADDR) &&
        (s->type == SOCK_DGRAM || other->state != SOCKET_LISTENING))
        both = true;
    return !both;
}

static bool is_free(const struct socket *s, const struct end *e)
{
    const struct kernel *k = s->kernel;

    for (size_t i = 0; i < k->sockets.count; i++) {
        const struct socket *other = k->sockets.items[i];

        if (same_protocol(s, other) && !other->closed && conflict(s, e, other))
            return false;
    }
    return true;
}

// Ports of the kernel's choice go up by one from bind to bind.
static i64 choose_port(struct socket *s, struct end *e)
{
    for (u32 n = 0; n <= PORT_LAST - PORT_FIRST; n++) {
        u16 *next = &s->kernel->next_port;

        *next = *next < PORT_FIRST || *next >= PORT_LAST ? PORT_FIRST : (u16)(*next + 1);
        e->port = *next;
        if (is_free(s, e))
            return 0;
    }
    return -EADDRINUSE;
}

static i64 bind_inet(struct socket *s, const struct socket_name *name)
{
    struct end e = end_of(name);

    if (end_of(&s->name).port)
        return -EINVAL;
    if (!is_any(&e) && !is_loopback(&e))
        return -EADDRNOTAVAIL;
    if (e.port && e.port < 1024 && geteuid() != 0)
        return -EACCES;
    if (e.port ? !is_free(s, &e) : choose_port(s, &e) < 0)
        return -EADDRINUSE;
    s->name = name_of(s->family, &e);
    return 0;
}

i64 socket_bind_free(struct socket *s)
{
    struct end e = end_of(&s->name);

    if (e.port)
        return 0;
    if (choose_port(s, &e) < 0)
        return -EADDRINUSE;
    s->name = name_of(s->family, &e);
    return 0;
}

// 0: not at all; else the higher the better.
static u32 fits(const struct socket *s, const struct socket *target, const struct end *to)
{
    struct end has, from;

    if (!same_protocol(s, target) || target->closed)
        return 0;
    has = end_of(&target->name);
    if (has.port != to->port || has.port == 0 || !takes(target, &has, to))
        return 0;
    if (s->type == SOCK_STREAM)
        return target->state != SOCKET_LISTENING ? 0 : is_any(&has) ? 1 : 2;
    if (target->state == SOCKET_CONNECTED) {
        struct end remote = end_of(&target->remote);

        from = end_of(&s->name);
        if (remote.port != from.port)
            return 0;
        return 4;
    }
    return is_any(&has) ? 1 : 2;
}

static i64 find_inet(const struct socket *s, const struct socket_name *name,
                     struct socket **ret_socket)
{
    const struct kernel *k = s->kernel;
    struct end to = end_of(name);
    u32 best = 0;

    loopback_of(&to, is_v4(&to)); // any: the machine itself
    if (!is_loopback(&to) || (is_v4(&to) && only_v6(s)))
        return -ENETUNREACH;
    for (size_t i = 0; i < k->sockets.count; i++) {
        u32 value = fits(s, k->sockets.items[i], &to);

        if (value > best) {
            best = value;
            *ret_socket = k->sockets.items[i];
        }
    }
    return best ? 0 : -ECONNREFUSED;
}

// ---- unix ----

static bool is_abstract(const struct socket_name *name)
{
    return name->length > PATH_AT && name->bytes[PATH_AT] == 0;
}

static void path_of(const struct socket_name *name, char text[SOCKET_NAME_BYTES])
{
    snprintf(text, SOCKET_NAME_BYTES, "%.*s", (int)(name->length - PATH_AT),
             (const char *)name->bytes + PATH_AT);
}

static struct socket *find_abstract(const struct kernel *k, const struct socket_name *name)
{
    for (size_t i = 0; i < k->sockets.count; i++) {
        struct socket *s = k->sockets.items[i];

        // An accepted socket has its listener's name, but is not found by it.
        if (socket_is_unix(s) && s->dev == ~0ull && !s->closed && s->name.length == name->length &&
            memcmp(s->name.bytes, name->bytes, name->length) == 0)
            return s;
    }
    return NULL;
}

static void bind_automatically(struct socket *s)
{
    do {
        char text[6];

        snprintf(text, sizeof(text), "%05x", ++s->kernel->next_unix_name & 0xfffff);
        s->name.length = PATH_AT + 6;
        s->name.bytes[PATH_AT] = 0;
        memcpy(s->name.bytes + PATH_AT + 1, text, 5);
    } while (find_abstract(s->kernel, &s->name));
    s->dev = ~0ull;
}

static i64 bind_unix(struct task *t, struct socket *s, const struct socket_name *name)
{
    char text[SOCKET_NAME_BYTES];
    struct place p;
    struct stat st;
    mode_t old;
    i64 r;
    bool bound = s->name.length > PATH_AT;

    if (bound && (name->length == PATH_AT || is_abstract(name)))
        return -EINVAL;
    if (name->length == PATH_AT) {
        bind_automatically(s);
        return 0;
    }
    if (is_abstract(name)) {
        if (find_abstract(s->kernel, name))
            return -EADDRINUSE;
        s->name = *name;
        s->dev = ~0ull;
        return 0;
    }
    path_of(name, text);
    r = place_find(t, AT_FDCWD, text, 0, &p);
    if (r < 0)
        return r;
    if (p.synthetic)
        return -EACCES;
    old = umask(t->fs->umask);
    r = mknodat(p.at, p.path, S_IFSOCK | 0777, 0) == 0 ? 0 : errno == EEXIST ? -EADDRINUSE : -errno;
    umask(old);
    if (r == 0 && bound) { // Linux, too, makes the name first
        unlinkat(p.at, p.path, 0);
        return -EINVAL;
    }
    if (r < 0 || fstatat(p.at, p.path, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return r;
    file_times_touch_at(t->kernel, p.at, p.path, TIMES_A | TIMES_M | TIMES_C, AT_SYMLINK_NOFOLLOW);
    file_times_touch_folder(t->kernel, p.at, p.path);
    s->dev = st.st_dev;
    s->ino = st.st_ino;
    s->name.length = PATH_AT + (u32)strlen(text) + 1;
    s->name.family = AF_UNIX;
    memcpy(s->name.bytes + PATH_AT, text, strlen(text) + 1);
    return 0;
}

static i64 find_unix(struct task *t, const struct socket_name *name, struct socket **ret_socket)
{
    const struct kernel *k = t->kernel;
    char text[SOCKET_NAME_BYTES];
    struct place p;
    struct stat st;
    i64 r;

    if (name->length <= PATH_AT)
        return -ECONNREFUSED;
    if (is_abstract(name)) {
        *ret_socket = find_abstract(k, name);
        return *ret_socket ? 0 : -ECONNREFUSED;
    }
    path_of(name, text);
    r = place_find(t, AT_FDCWD, text, PLACE_FOLLOW, &p);
    if (r < 0)
        return r;
    if (p.synthetic)
        return -ENOENT;
    if (fstatat(p.at, p.path, &st, 0) != 0 || faccessat(p.at, p.path, W_OK, AT_EACCESS) != 0)
        return -errno;
    for (size_t i = 0; i < k->sockets.count && S_ISSOCK(st.st_mode); i++) {
        struct socket *s = k->sockets.items[i];

        if (s->ino == st.st_ino && s->dev == st.st_dev) {
            *ret_socket = s;
            return 0;
        }
    }
    return -ECONNREFUSED;
}

// ---- both ----

i64 socket_bind(struct task *t, struct socket *s, const struct socket_name *name)
{
    struct socket_name any = *name;
    i64 r;

    // Linux takes AF_UNSPEC with the address 0.0.0.0 for AF_INET here.
    if (s->family == AF_INET && any.length >= sizeof(struct sockaddr_in) &&
        any.family == AF_UNSPEC && memcmp(any.bytes + 4, (u8[4]){0}, 4) == 0)
        any.family = AF_INET;
    r = socket_name_check(s, &any);
    if (r < 0)
        return r;
    return socket_is_unix(s) ? bind_unix(t, s, name) : bind_inet(s, &any);
}

i64 socket_find(struct task *t, const struct socket *s, const struct socket_name *name,
                struct socket **ret_socket)
{
    return socket_is_unix(s) ? find_unix(t, name, ret_socket) : find_inet(s, name, ret_socket);
}
