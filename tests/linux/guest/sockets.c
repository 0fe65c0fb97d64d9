// SPDX-License-Identifier: BSD-3-Clause
// Sockets of the families unix, inet and inet6 between processes and within one; prints results.
// Run in an empty folder of its own.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(call)                                                 \
    do {                                                           \
        long show = (long)(call);                                  \
        printf("%s = %ld%s%s\n", #call, show, show < 0 ? " " : "", \
               show < 0 ? strerror(errno) : "");                   \
    } while (0)

static char text[1 << 20];

static struct sockaddr_un un(const char *name, socklen_t *length)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    if (name[0] == '@') {
        memcpy(a.sun_path + 1, name + 1, strlen(name) - 1);
        *length = offsetof(struct sockaddr_un, sun_path) + strlen(name);
    } else {
        strcpy(a.sun_path, name);
        *length = sizeof(a);
    }
    return a;
}

static int un_call(int fd, int (*call)(int, const struct sockaddr *, socklen_t), const char *name)
{
    socklen_t length;
    struct sockaddr_un a = un(name, &length);

    return call(fd, (struct sockaddr *)&a, length);
}

static void name_un(const char *what, int fd, int (*call)(int, struct sockaddr *, socklen_t *))
{
    struct sockaddr_un a;
    socklen_t n = sizeof(a);
    int r;

    memset(&a, 0, sizeof(a));
    r = call(fd, (struct sockaddr *)&a, &n);
    printf("%s: %d %s %u family %d '%s'\n", what, r, r ? strerror(errno) : "", r ? 0 : n,
           r ? 0 : a.sun_family, n > 2 ? a.sun_path + !a.sun_path[0] : "");
}

static int state(int fd)
{
    struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI, 0};

    poll(&p, 1, 0);
    return p.revents;
}

static void unix_stream(int type, const char *name)
{
    int server = socket(AF_UNIX, type, 0), client = socket(AF_UNIX, type, 0), other, third;
    struct stat st;
    struct ucred who;
    socklen_t n = sizeof(who);

    printf("-- unix type %d name %s\n", type, name);
    SHOW(state(server));
    SHOW(listen(server, 1));
    SHOW(un_call(client, connect, name));
    SHOW(un_call(server, bind, name));
    SHOW(un_call(server, bind, name));
    SHOW(un_call(client, bind, name));
    SHOW(un_call(client, connect, name));
    SHOW(listen(server, 1));
    if (name[0] != '@') {
        SHOW(stat(name, &st));
        printf("mode %o\n", st.st_mode);
    }
    SHOW(state(server));
    SHOW(un_call(client, connect, name));
    SHOW(un_call(client, connect, name));
    SHOW(state(server));
    SHOW(write(client, "before accept", 13));
    other = accept(server, NULL, NULL);
    name_un("server", server, getsockname);
    name_un("accepted", other, getsockname);
    name_un("its peer", other, getpeername);
    name_un("client", client, getsockname);
    name_un("its peer", client, getpeername);
    name_un("no peer", server, getpeername);
    SHOW(getsockopt(client, SOL_SOCKET, SO_PEERCRED, &who, &n));
    printf("%d %d\n", who.pid == getpid(), who.uid == getuid());
    SHOW(read(other, text, 5));
    printf("%.5s\n", text);
    SHOW(state(other));
    SHOW(ioctl(other, FIONREAD, &n));
    printf("%d waiting\n", (int)n);
    SHOW(send(other, "answer", 6, 0));
    SHOW(recv(client, text, 3, MSG_PEEK));
    SHOW(recv(client, text, sizeof(text), 0));
    SHOW(recv(client, text, sizeof(text), MSG_DONTWAIT));
    SHOW(send(client, "", 0, 0));
    SHOW(recv(other, text, 100, MSG_DONTWAIT));
    SHOW(shutdown(client, SHUT_WR));
    SHOW(state(client));
    SHOW(state(other));
    SHOW(recv(other, text, 100, MSG_DONTWAIT));
    SHOW(send(client, "x", 1, MSG_NOSIGNAL));
    SHOW(send(other, "last", 4, 0));
    close(other);
    SHOW(state(client));
    SHOW(recv(client, text, 100, 0));
    SHOW(recv(client, text, 100, 0));
    SHOW(send(client, "x", 1, MSG_NOSIGNAL));
    close(client);
    // What was not read when the other side closes is a reset.
    client = socket(AF_UNIX, type, 0);
    un_call(client, connect, name);
    other = accept(server, NULL, NULL);
    SHOW(write(client, "unread", 6));
    SHOW(write(other, "unseen", 6));
    close(other);
    SHOW(recv(client, text, 3, 0));
    SHOW(recv(client, text, 100, 0));
    SHOW(recv(client, text, 100, 0));
    close(client);
    // The backlog.
    client = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
    other = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
    third = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
    SHOW(un_call(client, connect, name));
    SHOW(un_call(other, connect, name));
    SHOW(un_call(third, connect, name));
    SHOW(fcntl(server, F_SETFL, O_NONBLOCK));
    SHOW(accept(server, NULL, NULL) >= 0);
    SHOW(accept(server, NULL, NULL) >= 0);
    SHOW(accept(server, NULL, NULL));
    close(server);
    SHOW(un_call(third, connect, name));
    close(client);
    close(other);
    close(third);
    SHOW(unlink(name[0] == '@' ? "none" : name));
}

static void unix_datagrams(void)
{
    int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0), s[2], n;
    struct sockaddr_un from;
    socklen_t length = sizeof(from), size;
    struct sockaddr_un to = un("da", &size);

    printf("-- unix datagrams\n");
    SHOW(state(a));
    SHOW(un_call(a, bind, "da"));
    SHOW(un_call(b, bind, "@db"));
    SHOW(sendto(b, "one", 3, 0, (struct sockaddr *)&to, size));
    SHOW(sendto(b, "", 0, 0, (struct sockaddr *)&to, size));
    SHOW(sendto(b, "three", 5, 0, (struct sockaddr *)&to, size));
    SHOW(recvfrom(a, text, 100, 0, (struct sockaddr *)&from, &length));
    printf("%u %.2s\n", length, from.sun_path + 1);
    SHOW(recv(a, text, 100, 0));
    SHOW(recv(a, text, 2, MSG_TRUNC | MSG_PEEK));
    SHOW(recv(a, text, 2, 0));
    SHOW(recv(a, text, 2, MSG_DONTWAIT));
    SHOW(send(b, "x", 1, 0));
    SHOW(un_call(b, connect, "da"));
    SHOW(send(b, "x", 1, 0));
    SHOW(un_call(a, connect, "@db"));
    SHOW(send(a, "y", 1, 0));
    SHOW(recv(b, text, 2, 0));
    close(a);
    SHOW(send(b, "x", 1, 0));
    SHOW(send(b, "x", 1, 0));
    close(b);
    a = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    b = socket(AF_UNIX, SOCK_DGRAM, 0);
    unlink("da");
    un_call(b, bind, "da");
    un_call(a, connect, "da");
    for (n = 0; send(a, "full", 4, 0) == 4; n++)
        ;
    printf("%d datagrams, then %s\n", n, strerror(errno));
    SHOW(state(a));
    SHOW(recv(b, text, 10, 0));
    SHOW(state(a));
    SHOW(listen(a, 1));
    SHOW(accept(a, NULL, NULL));
    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, s);
    for (n = 0; send(s[0], "full", 4, 0) == 4; n++)
        ;
    printf("%d datagrams, then %s\n", n, strerror(errno));
    SHOW(send(s[0], text, 300000, 0));
    close(s[1]);
    SHOW(send(s[0], "x", 1, 0));
    close(a);
    close(b);
    close(s[0]);
}

static void room(void)
{
    static const int sizes[] = {1, 193, 1000, 4000, 10000, 100000, 300000};

    printf("-- room\n");
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int s[2];
        long sum = 0, n, count = 0;

        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s);
        while ((n = write(s[0], text, sizes[i])) > 0) {
            sum += n;
            count++;
        }
        printf("%d: %ld bytes in %ld, state %x\n", sizes[i], sum, count, state(s[0]));
        while (read(s[1], text, 50000) > 0)
            ;
        printf("%x\n", state(s[0]));
        close(s[0]);
        close(s[1]);
    }
}

static int send_fds(int s, const int *fds, int n, const char *data, int size)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * 8)];
        struct cmsghdr h;
    } u;
    struct iovec v = {(void *)data, size};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &u};
    struct cmsghdr *c;

    m.msg_controllen = CMSG_SPACE(sizeof(int) * n);
    c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){CMSG_LEN(sizeof(int) * n), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
    return sendmsg(s, &m, 0);
}

static int receive_fds(int s, int *fds, int room_for, int size, int flags)
{
    char bytes[256];
    struct iovec v = {text, size};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = bytes};
    int n;

    memset(text, 0, 32);
    m.msg_controllen = room_for ? CMSG_SPACE(sizeof(int) * room_for) : 0;
    n = recvmsg(s, &m, flags);
    printf("recvmsg %d '%.30s' flags %x control %d\n", n, text, m.msg_flags, (int)m.msg_controllen);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        int count = (c->cmsg_len - sizeof(*c)) / sizeof(int);

        printf("  level %d type %d length %d\n", c->cmsg_level, c->cmsg_type, (int)c->cmsg_len);
        if (c->cmsg_type == SCM_CREDENTIALS) {
            struct ucred who;

            memcpy(&who, CMSG_DATA(c), sizeof(who));
            printf("  from %d\n", who.pid == getpid() ? 1 : who.pid == getppid() ? 2 : 3);
        }
        for (int i = 0; c->cmsg_type == SCM_RIGHTS && i < count; i++) {
            memcpy(&fds[i], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            printf("  close on exec %d\n", fcntl(fds[i], F_GETFD));
        }
    }
    return n;
}

static void descriptors(void)
{
    int s[2], p[2], fds[8], status, on = 1, bad = 1000;

    printf("-- descriptors\n");
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    if (fork() == 0) {
        close(s[0]);
        receive_fds(s[1], fds, 2, 100, MSG_CMSG_CLOEXEC);
        printf("%zd\n", write(fds[1], "through a pipe", 14));
        printf("%zd\n", write(fds[0], "to a file\n", 10));
        fflush(stdout);
        _exit(3);
    }
    pipe(p);
    fds[0] = open("sent", O_CREAT | O_RDWR, 0600);
    fds[1] = p[1];
    SHOW(send_fds(s[0], fds, 2, "two", 3));
    close(p[1]);
    wait(&status);
    SHOW(status);
    SHOW(read(p[0], text, 100));
    SHOW(read(p[0], text, 100));
    SHOW(lseek(fds[0], 0, SEEK_CUR));
    SHOW(send_fds(s[0], &bad, 1, "x", 1));
    fds[0] = 0;
    fds[1] = 1;
    fds[2] = 2;
    SHOW(write(s[0], "plain ", 6));
    SHOW(send_fds(s[0], fds, 3, "with three", 10));
    SHOW(write(s[0], "after", 5));
    receive_fds(s[1], fds, 1, 100, 0);
    receive_fds(s[1], fds, 1, 100, 0);
    fds[0] = 0;
    SHOW(send_fds(s[0], fds, 1, "peeked", 6));
    receive_fds(s[1], fds, 1, 100, MSG_PEEK);
    receive_fds(s[1], fds, 1, 3, 0);
    receive_fds(s[1], fds, 1, 100, 0);
    fds[0] = 0;
    SHOW(send_fds(s[0], fds, 1, "not taken", 9));
    SHOW(read(s[1], text, 100));
    SHOW(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
    SHOW(write(s[0], "who", 3));
    receive_fds(s[1], fds, 8, 100, 0);
    // A socket in itself is never read.
    SHOW(send_fds(s[0], s, 2, "cycle", 5));
    close(s[0]);
    close(s[1]);
}

static struct sockaddr_in in4(const char *host, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

    inet_pton(AF_INET, host, &a.sin_addr);
    return a;
}

static struct sockaddr_in6 in6(const char *host, int port)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    inet_pton(AF_INET6, host, &a.sin6_addr);
    return a;
}

static int port_of(int fd)
{
    struct sockaddr_in6 a;
    socklen_t n = sizeof(a);

    getsockname(fd, (struct sockaddr *)&a, &n);
    return ntohs(a.sin6_port);
}

static void name_in(const char *what, int fd, int (*call)(int, struct sockaddr *, socklen_t *))
{
    struct sockaddr_storage a;
    socklen_t n = sizeof(a);
    char host[64] = "";
    int r = call(fd, (struct sockaddr *)&a, &n);

    if (r == 0 && a.ss_family == AF_INET)
        inet_ntop(AF_INET, &((struct sockaddr_in *)&a)->sin_addr, host, sizeof(host));
    if (r == 0 && a.ss_family == AF_INET6)
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&a)->sin6_addr, host, sizeof(host));
    printf("%s: %d %s %u %s\n", what, r, r ? strerror(errno) : "", r ? 0 : n, host);
}

static void option(int fd, int level, int name, const char *text_of)
{
    int value = 0, r;
    socklen_t n = sizeof(value);

    r = getsockopt(fd, level, name, &value, &n);
    printf("%s: %d %d (%d)\n", text_of, r, value, (int)n);
}
#define OPTION(fd, level, name) option(fd, level, name, #name)

static void tcp(int family, int any)
{
    int server = socket(family, SOCK_STREAM, 0), client = socket(family, SOCK_STREAM, 0), other;
    int on = 1, status, twin = socket(family, SOCK_STREAM, 0);
    struct sockaddr_in a4 = in4(any ? "0.0.0.0" : "127.0.0.1", 0);
    struct sockaddr_in6 a6 = in6(any ? "::" : "::1", 0);
    struct sockaddr *a = family == AF_INET ? (struct sockaddr *)&a4 : (struct sockaddr *)&a6;
    socklen_t size = family == AF_INET ? sizeof(a4) : sizeof(a6);
    struct linger reset = {1, 0};

    printf("-- tcp family %d any %d\n", family, any);
    SHOW(state(server));
    SHOW(setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
    SHOW(bind(server, a, size));
    SHOW(bind(server, a, size));
    a4.sin_port = a6.sin6_port = htons(port_of(server));
    SHOW(bind(twin, a, size));
    SHOW(connect(client, a, size));
    SHOW(send(twin, "x", 1, MSG_NOSIGNAL));
    SHOW(recv(twin, text, 1, MSG_NOSIGNAL));
    SHOW(shutdown(twin, SHUT_RD));
    close(client);
    SHOW(listen(server, 5));
    client = socket(family, SOCK_STREAM, 0);
    SHOW(setsockopt(twin, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
    SHOW(bind(twin, a, size));
    SHOW(connect(client, a, size));
    SHOW(connect(client, a, size));
    SHOW(state(client));
    SHOW(state(server));
    other = accept(server, NULL, NULL);
    name_in("server", server, getsockname);
    name_in("accepted", other, getsockname);
    name_in("its peer", other, getpeername);
    name_in("client", client, getsockname);
    name_in("its peer", client, getpeername);
    name_in("none", server, getpeername);
    OPTION(client, SOL_SOCKET, SO_TYPE);
    OPTION(client, SOL_SOCKET, SO_DOMAIN);
    OPTION(client, SOL_SOCKET, SO_PROTOCOL);
    OPTION(client, SOL_SOCKET, SO_ERROR);
    OPTION(server, SOL_SOCKET, SO_ACCEPTCONN);
    OPTION(client, IPPROTO_TCP, TCP_NODELAY);
    SHOW(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
    OPTION(client, IPPROTO_TCP, TCP_NODELAY);
    SHOW(setsockopt(client, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)));
    OPTION(client, SOL_SOCKET, SO_KEEPALIVE);
    OPTION(client, IPPROTO_TCP, TCP_KEEPIDLE);
    OPTION(server, SOL_SOCKET, SO_REUSEADDR);
    OPTION(client, SOL_SOCKET, 999);
    OPTION(client, 999, 1);
    SHOW(send(client, "one", 3, 0));
    SHOW(send(client, "two", 3, 0));
    SHOW(recv(other, text, 6, MSG_WAITALL));
    if (fork() == 0) {
        close(client);
        memset(text, 'x', sizeof(text));
        for (long sum = 0; sum < 3000000;) {
            long n = write(other, text, 1000000);

            if (n <= 0)
                _exit(1);
            sum += n;
        }
        _exit(0);
    }
    close(other);
    long sum = 0, n;
    while ((n = read(client, text, sizeof(text))) > 0)
        sum += n;
    printf("%ld bytes\n", sum);
    wait(&status);
    SHOW(status);
    SHOW(state(client));
    SHOW(send(client, "to nobody", 9, MSG_NOSIGNAL));
    SHOW(send(client, "to nobody", 9, MSG_NOSIGNAL));
    SHOW(recv(client, text, 1, 0));
    close(client);
    // Without waiting.
    client = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    SHOW(connect(client, a, size));
    other = accept(server, NULL, NULL);
    SHOW(state(client));
    OPTION(client, SOL_SOCKET, SO_ERROR);
    name_in("connecting to", client, getpeername);
    SHOW(connect(client, a, size));
    SHOW(connect(client, a, size));
    SHOW(recv(client, text, 1, 0));
    SHOW(shutdown(other, SHUT_WR));
    SHOW(recv(client, text, 1, 0));
    SHOW(state(client));
    SHOW(shutdown(client, SHUT_RDWR));
    SHOW(state(client));
    SHOW(state(other));
    close(client);
    close(other);
    // A reset.
    client = socket(family, SOCK_STREAM, 0);
    SHOW(connect(client, a, size));
    other = accept(server, NULL, NULL);
    SHOW(send(client, "unread", 6, 0));
    usleep(1000);
    close(other);
    SHOW(recv(client, text, 1, 0));
    SHOW(recv(client, text, 1, 0));
    SHOW(send(client, "x", 1, MSG_NOSIGNAL));
    close(client);
    client = socket(family, SOCK_STREAM, 0);
    SHOW(connect(client, a, size));
    other = accept(server, NULL, NULL);
    SHOW(setsockopt(other, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)));
    close(other);
    SHOW(recv(client, text, 1, 0));
    close(client);
    close(server);
    client = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    SHOW(connect(client, a, size));
    SHOW(state(client));
    OPTION(client, SOL_SOCKET, SO_ERROR);
    close(client);
    close(twin);
}

static void both_families(void)
{
    int server = socket(AF_INET6, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in6 a6 = in6("::", 0);
    struct sockaddr_in a4;
    int other;

    printf("-- both families\n");
    SHOW(bind(server, (struct sockaddr *)&a6, sizeof(a6)));
    a4 = in4("127.0.0.1", port_of(server));
    listen(server, 5);
    SHOW(connect(client, (struct sockaddr *)&a4, sizeof(a4)));
    other = accept(server, NULL, NULL);
    name_in("accepted", other, getsockname);
    name_in("its peer", other, getpeername);
    close(server);
    close(client);
    close(other);
    server = socket(AF_INET6, SOCK_STREAM, 0);
    client = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(setsockopt(server, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
    a6.sin6_port = a4.sin_port;
    SHOW(setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
    SHOW(bind(server, (struct sockaddr *)&a6, sizeof(a6)));
    listen(server, 5);
    SHOW(connect(client, (struct sockaddr *)&a4, sizeof(a4)));
    SHOW(connect(client, (struct sockaddr *)&a6, sizeof(a6)));
    SHOW(bind(client, (struct sockaddr *)&a4, 3));
    close(server);
    close(client);
    SHOW(socket(AF_INET, SOCK_SEQPACKET, 0));
    SHOW(socket(AF_INET, SOCK_STREAM, 17));
    SHOW(socket(77, SOCK_STREAM, 0));
    SHOW(socket(AF_UNIX, SOCK_STREAM, 5));
    SHOW(socket(AF_UNIX, 9, 0));
}

static void udp(int family)
{
    int a = socket(family, SOCK_DGRAM, 0), b = socket(family, SOCK_DGRAM, 0);
    struct sockaddr_in a4 = in4("127.0.0.1", 0);
    struct sockaddr_in6 a6 = in6("::1", 0);
    struct sockaddr *to = family == AF_INET ? (struct sockaddr *)&a4 : (struct sockaddr *)&a6;
    socklen_t size = family == AF_INET ? sizeof(a4) : sizeof(a6), n;
    struct sockaddr_storage from;

    printf("-- udp %d\n", family);
    SHOW(state(a));
    SHOW(bind(a, to, size));
    a4.sin_port = a6.sin6_port = htons(port_of(a));
    SHOW(bind(b, to, size));
    SHOW(sendto(b, "hello", 5, 0, to, size));
    n = sizeof(from);
    SHOW(recvfrom(a, text, 100, 0, (struct sockaddr *)&from, &n));
    SHOW(n);
    SHOW(sendto(a, "back", 4, 0, (struct sockaddr *)&from, n));
    SHOW(recv(b, text, 2, MSG_TRUNC));
    SHOW(send(b, "x", 1, 0));
    SHOW(connect(b, to, size));
    name_in("connected", b, getsockname);
    name_in("to", b, getpeername);
    SHOW(send(b, "x", 1, 0));
    SHOW(send(b, text, 70000, 0));
    SHOW(send(b, "", 0, 0));
    SHOW(state(a));
    SHOW(recv(a, text, 10, 0));
    SHOW(recv(a, text, 10, 0));
    SHOW(recv(a, text, 10, MSG_DONTWAIT));
    close(a);
    SHOW(send(b, "x", 1, 0));
    usleep(1000);
    SHOW(state(b));
    SHOW(send(b, "x", 1, 0));
    SHOW(send(b, "x", 1, 0));
    usleep(1000);
    SHOW(recv(b, text, 1, 0));
    close(b);
}

static void alarmed(int number)
{
}

static void waits(void)
{
    int s[2], ep = epoll_create1(0), server = socket(AF_UNIX, SOCK_STREAM, 0), status;
    struct timeval tv = {0, 30000};
    struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.fd = 7}, out[4];
    struct sigaction action = {.sa_handler = alarmed};
    struct itimerval soon = {{0, 0}, {0, 20000}};

    printf("-- waiting\n");
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    SHOW(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
    SHOW(read(s[0], text, 1));
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    SHOW(read(s[1], text, 1));
    un_call(server, bind, "@waits");
    listen(server, 5);
    setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    SHOW(accept(server, NULL, NULL));
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, s[0], &e));
    SHOW(epoll_wait(ep, out, 4, 0));
    SHOW(write(s[1], "ab", 2));
    SHOW(epoll_wait(ep, out, 4, 0));
    SHOW(epoll_wait(ep, out, 4, 0));
    SHOW(write(s[1], "ab", 2));
    SHOW(epoll_wait(ep, out, 4, 0));
    SHOW(read(s[0], text, 10));
    SHOW(epoll_wait(ep, out, 4, 0));
    SHOW(write(s[1], "ab", 2));
    SHOW(epoll_wait(ep, out, 4, 0));
    if (fork() == 0) {
        int client = socket(AF_UNIX, SOCK_STREAM, 0);

        usleep(5000);
        un_call(client, connect, "@waits");
        memset(text, 'y', 500000);
        _exit(write(client, text, 500000) != 500000);
    }
    int other = accept(server, NULL, NULL);
    SHOW(recv(other, text, 500000, MSG_WAITALL));
    SHOW(recv(other, text, 1, 0));
    wait(&status);
    SHOW(status);
    signal(SIGPIPE, SIG_DFL);
    if (fork() == 0) {
        close(s[1]);
        write(s[0], "x", 1);
        close(s[1]);
        shutdown(s[0], SHUT_RDWR);
        write(s[0], "x", 1);
        _exit(0);
    }
    wait(&status);
    printf("signal %d\n", WTERMSIG(status));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    unix_stream(SOCK_STREAM, "name");
    unix_stream(SOCK_STREAM, "@name");
    unix_stream(SOCK_SEQPACKET, "packets");
    unix_datagrams();
    room();
    descriptors();
    tcp(AF_INET, 0);
    tcp(AF_INET, 1);
    tcp(AF_INET6, 0);
    tcp(AF_INET6, 1);
    both_families();
    udp(AF_INET);
    udp(AF_INET6);
    waits();
    return 0;
}
