// SPDX-License-Identifier: BSD-3-Clause
#include "machine/gdb/gdb_protocol_priv.h"

#include "machine/gdb/gdb_registers.h"
#include "machine/pc_core.h"

#include <string.h>

enum { SIGNAL_INT = 2 };

void gdb_protocol_init(struct gdb_protocol *p, struct component *pc)
{
    *p = (struct gdb_protocol){.state = GDB_DETACHED};
    gdb_target_init(&p->target, pc);
}

void gdb_protocol_release(struct gdb_protocol *p)
{
    gdb_target_release(&p->target);
    gdb_wire_release(&p->wire);
}

void gdb_protocol_attach(struct gdb_protocol *p)
{
    gdb_wire_reset(&p->wire);
    gdb_target_remove_all(&p->target);
    p->state = GDB_STOPPED;
    p->stop = (struct gdb_stop){.signal = SIGNAL_INT};
    p->interrupt = p->swbreak = p->hwbreak = false;
    p->target.physical = p->target.step_through = false;
    p->core = 0;
    p->run_core = GDB_ALL_CORES;
}

void gdb_reply(struct gdb_protocol *p, const char *text)
{
    gdb_wire_puts(&p->wire, text);
}

void gdb_reply_done(struct gdb_protocol *p, bool good)
{
    gdb_reply(p, good ? "OK" : "E01");
}

static u64 all_cores(const struct gdb_protocol *p)
{
    return ~(u64)0 >> (64 - pc_cpus(p->target.pc));
}

// ---- threads: number n is core n - 1

static bool thread(const struct gdb_protocol *p, const char **at, u32 *ret_core)
{
    u64 id;

    if (strncmp(*at, "-1", 2) == 0) {
        *at += 2;
        *ret_core = GDB_ALL_CORES;
        return true;
    }
    if (!gdb_hex(at, &id) || id > pc_cpus(p->target.pc))
        return false;
    *ret_core = id ? (u32)id - 1 : p->core; // 0: any
    return true;
}

static void set_thread(struct gdb_protocol *p, const char *args, size_t length)
{
    const char *at = args + 1;
    u32 core;

    if ((*args != 'g' && *args != 'c') || !thread(p, &at, &core) || *at) {
        gdb_reply_done(p, false);
        return;
    }
    if (*args == 'c')
        p->run_core = core;
    else if (core != GDB_ALL_CORES)
        p->core = core;
    gdb_reply_done(p, true);
}

static void thread_alive(struct gdb_protocol *p, const char *args, size_t length)
{
    u32 core;

    gdb_reply_done(p, thread(p, &args, &core) && !*args);
}

static void first_threads(struct gdb_protocol *p, const char *args, size_t length)
{
    AUTO(strbuf) struct strbuf out = {0};

    for (u32 i = 0; i < pc_cpus(p->target.pc); i++)
        strbuf_printf(&out, "%c%x", i ? ',' : 'm', (unsigned)i + 1);
    gdb_reply(p, strbuf_text(&out));
}

static void no_more_threads(struct gdb_protocol *p, const char *args, size_t length)
{
    gdb_reply(p, "l");
}

static void current_thread(struct gdb_protocol *p, const char *args, size_t length)
{
    AUTO(strbuf) struct strbuf out = {0};

    strbuf_printf(&out, "QC%x", (unsigned)p->core + 1);
    gdb_reply(p, strbuf_text(&out));
}

static const char *what_it_does(const struct gdb_protocol *p, u32 core)
{
    const struct x86_arch_state *s = &gdb_target_core(&p->target, core)->s;

    return s->wait_for_sipi ? "not started" : s->halted ? "halted" : "running";
}

static void thread_extra(struct gdb_protocol *p, const char *args, size_t length)
{
    AUTO(strbuf) struct strbuf text = {0}, out = {0};
    u32 core;

    if (!thread(p, &args, &core) || *args || core == GDB_ALL_CORES) {
        gdb_reply_done(p, false);
        return;
    }
    strbuf_printf(&text, "CPU %u (%s)", (unsigned)core, what_it_does(p, core));
    gdb_put_hex(&out, text.text, text.length);
    gdb_reply(p, strbuf_text(&out));
}

// ---- stops

static void put_stop(const struct gdb_protocol *p, struct strbuf *out)
{
    static const char *const watches[] = {
        [GDB_WATCH_WRITE] = "watch", [GDB_WATCH_READ] = "rwatch", [GDB_WATCH_ACCESS] = "awatch"};
    const struct gdb_stop *s = &p->stop;

    strbuf_printf(out, "T%02xthread:%x;", s->signal, (unsigned)s->core + 1);
    if (!s->hit)
        return;
    if (s->type >= GDB_WATCH_WRITE)
        strbuf_printf(out, "%s:%llx;", watches[s->type], (unsigned long long)s->address);
    else if (s->type == GDB_BREAK_SOFTWARE && p->swbreak)
        strbuf_puts(out, "swbreak:;");
    else if (s->type == GDB_BREAK_HARDWARE && p->hwbreak)
        strbuf_puts(out, "hwbreak:;");
}

static void why_stopped(struct gdb_protocol *p, const char *args, size_t length)
{
    AUTO(strbuf) struct strbuf out = {0};

    put_stop(p, &out);
    gdb_reply(p, strbuf_text(&out));
}

void gdb_protocol_report(struct gdb_protocol *p, const struct gdb_stop *stop)
{
    p->stop = *stop;
    p->core = stop->core;
    p->state = GDB_STOPPED;
    p->interrupt = false;
    why_stopped(p, "", 0);
}

void gdb_protocol_exit(struct gdb_protocol *p, bool by_signal, u8 value)
{
    AUTO(strbuf) struct strbuf out = {0};

    strbuf_printf(&out, "%c%02x", by_signal ? 'X' : 'W', value);
    gdb_reply(p, strbuf_text(&out));
    p->state = GDB_DETACHED;
}

// ---- going on

static void go_on(struct gdb_protocol *p, u64 may_run, u64 step)
{
    if (!may_run) {
        why_stopped(p, "", 0);
        return;
    }
    p->debug =
        (struct pc_debug){.may_run = may_run, .step = step, .step_through = p->target.step_through};
    gdb_target_resume(&p->target, &p->debug);
    p->state = GDB_RUNNING;
}

// "c", "s", and with a signal, which a computer cannot get, "C", "S"; then an address to go on at.
static void go_on_old(struct gdb_protocol *p, const char *args, bool step, bool signal)
{
    u32 core = p->run_core == GDB_ALL_CORES ? p->core : p->run_core;
    u64 address;

    if (signal) {
        if (!gdb_hex(&args, &address) || (*args && *args++ != ';')) {
            gdb_reply_done(p, false);
            return;
        }
    }
    if (*args) {
        u8 bytes[8];

        if (!gdb_hex_to(&args, '\0', &address)) {
            gdb_reply_done(p, false);
            return;
        }
        memcpy(bytes, &address, sizeof(bytes));
        gdb_register_put(gdb_target_core(&p->target, core), 16, bytes); // rip
    }
    go_on(p, all_cores(p), step ? 1ull << core : 0);
}

static void cont(struct gdb_protocol *p, const char *args, size_t length)
{
    go_on_old(p, args, false, false);
}

static void cont_signal(struct gdb_protocol *p, const char *args, size_t length)
{
    go_on_old(p, args, false, true);
}

static void step(struct gdb_protocol *p, const char *args, size_t length)
{
    go_on_old(p, args, true, false);
}

static void step_signal(struct gdb_protocol *p, const char *args, size_t length)
{
    go_on_old(p, args, true, true);
}

// One action of vCont, for the threads that no earlier one was for.
static bool take_action(const struct gdb_protocol *p, const char **at, u64 *left, u64 *run,
                        u64 *stepped)
{
    char action = *(*at)++;
    u64 signal, mask;
    u32 core = GDB_ALL_CORES;

    if (!action || !strchr("cCsSt", action))
        return false;
    if ((action == 'C' || action == 'S') && !gdb_hex(at, &signal))
        return false;
    if (**at == ':') {
        ++*at;
        if (!thread(p, at, &core))
            return false;
    }
    mask = *left & (core == GDB_ALL_CORES ? ~(u64)0 : 1ull << core);
    *left &= ~mask;
    if (action != 't')
        *run |= mask;
    if (action == 's' || action == 'S')
        *stepped |= mask;
    return true;
}

static void vcont(struct gdb_protocol *p, const char *args, size_t length)
{
    u64 left = all_cores(p), run = 0, stepped = 0;
    bool good = true;

    while (good && *args == ';') {
        args++;
        good = take_action(p, &args, &left, &run, &stepped);
    }
    if (good && !*args)
        go_on(p, run, stepped);
    else
        gdb_reply_done(p, false);
}

static void vcont_what(struct gdb_protocol *p, const char *args, size_t length)
{
    gdb_reply(p, "vCont;c;C;s;S;t");
}

static void detach(struct gdb_protocol *p, const char *args, size_t length)
{
    gdb_target_remove_all(&p->target);
    p->state = GDB_DETACHED;
    gdb_reply_done(p, true);
}

static void end_run(struct gdb_protocol *p, const char *args, size_t length)
{
    p->state = GDB_KILLED;
}

static void end_run_answered(struct gdb_protocol *p, const char *args, size_t length)
{
    p->state = GDB_KILLED;
    gdb_reply_done(p, true);
}

// ---- queries

static void supported(struct gdb_protocol *p, const char *args, size_t length)
{
    AUTO(strbuf) struct strbuf out = {0};

    p->swbreak = strstr(args, "swbreak+");
    p->hwbreak = strstr(args, "hwbreak+");
    strbuf_printf(&out,
                  "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;qXfer:threads:read+;"
                  "vContSupported+;swbreak+;hwbreak+",
                  (unsigned)GDB_PACKET_MAX);
    gdb_reply(p, strbuf_text(&out));
}

// The part of a document that ":ANNEX:OFFSET,LENGTH" names.
static void transfer(struct gdb_protocol *p, const char *args, const struct strbuf *document)
{
    AUTO(strbuf) struct strbuf out = {0};
    u64 offset, size;

    if (!gdb_hex_to(&args, ',', &offset) || !gdb_hex_to(&args, '\0', &size)) {
        gdb_reply_done(p, false);
        return;
    }
    offset = MIN(offset, document->length);
    size = MIN(size, (u64)GDB_DATA_MAX);
    strbuf_putc(&out, size < document->length - offset ? 'm' : 'l');
    strbuf_add(&out, document->text + offset, MIN(size, document->length - offset));
    gdb_wire_send(&p->wire, out.text, out.length);
}

static void transfer_features(struct gdb_protocol *p, const char *args, size_t length)
{
    static const char annex[] = "target.xml:";
    AUTO(strbuf) struct strbuf document = {0};

    if (strncmp(args, annex, sizeof(annex) - 1) != 0) {
        gdb_reply(p, "E00");
        return;
    }
    gdb_registers_describe(&document);
    transfer(p, args + sizeof(annex) - 1, &document);
}

static void transfer_threads(struct gdb_protocol *p, const char *args, size_t length)
{
    AUTO(strbuf) struct strbuf document = {0};

    strbuf_puts(&document, "<?xml version=\"1.0\"?>\n<threads>\n");
    for (u32 i = 0; i < pc_cpus(p->target.pc); i++)
        strbuf_printf(&document, "<thread id=\"%x\" core=\"%u\" name=\"%s\">%s</thread>\n",
                      (unsigned)i + 1, (unsigned)i, pc_core(p->target.pc, i)->name,
                      what_it_does(p, i));
    strbuf_puts(&document, "</threads>\n");
    transfer(p, args, &document);
}

static void monitor(struct gdb_protocol *p, const char *args, size_t length)
{
    AUTO(strbuf) struct strbuf text = {0};
    char line[1024];
    size_t n = length / 2;

    if (n >= sizeof(line) || !gdb_hex_bytes(&args, (u8 *)line, n) || *args) {
        gdb_reply_done(p, false);
        return;
    }
    line[n] = '\0';
    gdb_monitor(p, line, &text);
    for (size_t at = 0; at < text.length; at += GDB_DATA_MAX) {
        AUTO(strbuf) struct strbuf out = {0};

        strbuf_putc(&out, 'O');
        gdb_put_hex(&out, text.text + at, MIN(text.length - at, GDB_DATA_MAX));
        gdb_reply(p, strbuf_text(&out));
    }
    gdb_reply_done(p, true);
}

static void start_no_ack(struct gdb_protocol *p, const char *args, size_t length)
{
    gdb_reply_done(p, true);
    p->wire.no_ack = true;
}

static void attached(struct gdb_protocol *p, const char *args, size_t length)
{
    gdb_reply(p, "1");
}

static void phys_mode(struct gdb_protocol *p, const char *args, size_t length)
{
    gdb_reply(p, p->target.physical ? "1" : "0");
}

static void set_phys_mode(struct gdb_protocol *p, const char *args, size_t length)
{
    p->target.physical = *args == '1';
    gdb_reply_done(p, *args == '0' || *args == '1');
}

// ---- the table

enum args { NONE, ANY, QUERY }; // QUERY: none, or something that is not part of a longer name

static const struct command {
    const char *name;
    enum args args;
    void (*run)(struct gdb_protocol *p, const char *args, size_t length);
} commands[] = {
    {"?", NONE, why_stopped},
    {"g", NONE, gdb_read_registers},
    {"G", ANY, gdb_write_registers},
    {"p", ANY, gdb_read_register},
    {"P", ANY, gdb_write_register},
    {"m", ANY, gdb_read_memory},
    {"M", ANY, gdb_write_memory},
    {"X", ANY, gdb_write_binary},
    {"c", ANY, cont},
    {"C", ANY, cont_signal},
    {"s", ANY, step},
    {"S", ANY, step_signal},
    {"vCont?", NONE, vcont_what},
    {"vCont", ANY, vcont},
    {"vKill", QUERY, end_run_answered},
    {"D", QUERY, detach},
    {"k", NONE, end_run},
    {"H", ANY, set_thread},
    {"T", ANY, thread_alive},
    {"Z", ANY, gdb_set_break},
    {"z", ANY, gdb_remove_break},
    {"qSupported", QUERY, supported},
    {"QStartNoAckMode", NONE, start_no_ack},
    {"qAttached", QUERY, attached},
    {"qC", NONE, current_thread},
    {"qfThreadInfo", NONE, first_threads},
    {"qsThreadInfo", NONE, no_more_threads},
    {"qThreadExtraInfo,", ANY, thread_extra},
    {"qXfer:features:read:", ANY, transfer_features},
    {"qXfer:threads:read::", ANY, transfer_threads},
    {"qRcmd,", ANY, monitor},
    {"qqemu.PhyMemMode", NONE, phys_mode},
    {"Qqemu.PhyMemMode:", ANY, set_phys_mode},
};

static const struct command *find_command(const char *data)
{
    for (u32 i = 0; i < ARRAY_SIZE(commands); i++) {
        const struct command *c = &commands[i];
        size_t n = strlen(c->name);

        if (strncmp(data, c->name, n) != 0)
            continue;
        if (c->args == ANY || !data[n] || (c->args == QUERY && strchr(":;,", data[n])))
            return c;
    }
    return NULL;
}

static void execute(struct gdb_protocol *p)
{
    const struct command *c = find_command(p->wire.data);

    if (c)
        c->run(p, p->wire.data + strlen(c->name), p->wire.length - strlen(c->name));
    else
        gdb_reply(p, ""); // not known
}

void gdb_protocol_feed(struct gdb_protocol *p, const u8 *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        enum gdb_input input = gdb_wire_take(&p->wire, bytes[i]);

        if (input == GDB_INTERRUPT)
            p->interrupt = p->state == GDB_RUNNING;
        else if (input == GDB_PACKET && p->state == GDB_STOPPED)
            execute(p); // while it runs, a client has nothing to say
    }
}
