// SPDX-License-Identifier: BSD-3-Clause
// facet-guest: asks the simulator for something, from a shell in the guest. The operations and the
// three ways to ask are described in docs/formats/guest-operations.md.
#include "facet/guest.h"
#include "guest/start.h"

#include <asm/fcntl.h>
#include <asm/unistd.h>
#include <linux/mman.h>

enum { OK = 0, FAILED = 1, USAGE = 2 };
enum way { BY_PORT, BY_LOAD, BY_INSN };

#define WINDOW_SIZE 0x10000
#define BUFFER_SIZE 0x10000

static char buffer[BUFFER_SIZE];
static enum way way;
static const volatile void *window; // the operations' page, for BY_LOAD

static int complain(const char *text, const char *more)
{
    print(2, "facet-guest: ");
    print(2, text);
    print(2, more);
    print(2, "\n");
    return FAILED;
}

// ---- asking ----

// The instruction holds the number of the function, so there is one for each.
static uint64_t ask_by_insn(unsigned function, const struct facet_guest_args *args)
{
#define ASK(name)            \
    case FACET_GUEST_##name: \
        return facet_guest_insn(FACET_GUEST_##name, args);
    switch (function) {
        ASK(RPNS)
        ASK(EXIT)
        ASK(FAIL)
        ASK(SUM)
        ASK(RESET_STATS)
        ASK(DUMP_STATS)
        ASK(DUMP_RESET_STATS)
        ASK(CHECKPOINT)
        ASK(WRITE_FILE)
        ASK(READ_FILE)
        ASK(SWITCH_CPU)
        ASK(WORK_BEGIN)
        ASK(WORK_END)
    }
#undef ASK
    return 0;
}

static uint64_t ask(unsigned function, struct facet_guest_args args)
{
    switch (way) {
    case BY_PORT:
        return facet_guest_port(function, &args);
    case BY_LOAD:
        return facet_guest_load(window, function, &args);
    case BY_INSN:
        return ask_by_insn(function, &args);
    }
    return 0;
}

static int prepare(void)
{
    long fd, address;

    if (way == BY_PORT && guest_syscall(__NR_ioperm, FACET_GUEST_PORT, 8, 1, 0, 0, 0) < 0)
        return complain("the kernel permits no ports 0xe4 to 0xeb: be root", "");
    if (way != BY_LOAD)
        return OK;
    fd = guest_syscall(__NR_open, (long)"/dev/mem", O_RDWR | O_SYNC, 0, 0, 0, 0);
    if (fd < 0)
        return complain("cannot open /dev/mem: be root", "");
    address =
        guest_syscall(__NR_mmap, 0, WINDOW_SIZE, PROT_READ, MAP_SHARED, fd, FACET_GUEST_ADDRESS);
    if (address < 0 && address > -4096)
        return complain("the kernel does not let /dev/mem map address 0xffff0000", "");
    window = (const volatile void *)address;
    return OK;
}

// A simulator adds the six arguments; anything else gives some constant.
static int simulator_answers(void)
{
    return ask(FACET_GUEST_SUM, (struct facet_guest_args){1, 20, 300, 4000, 50000, 600000}) ==
           654321;
}

// ---- operations ----

static int do_exit(uint64_t a, uint64_t b, char **words)
{
    if (a)
        ask(FACET_GUEST_FAIL, (struct facet_guest_args){.b = a});
    else
        ask(FACET_GUEST_EXIT, (struct facet_guest_args){0});
    return OK;
}

static int do_fail(uint64_t a, uint64_t b, char **words)
{
    ask(FACET_GUEST_FAIL, (struct facet_guest_args){.b = a});
    return OK;
}

static int do_checkpoint(uint64_t a, uint64_t b, char **words)
{
    ask(FACET_GUEST_CHECKPOINT, (struct facet_guest_args){0});
    return OK;
}

static int do_reset_stats(uint64_t a, uint64_t b, char **words)
{
    ask(FACET_GUEST_RESET_STATS, (struct facet_guest_args){0});
    return OK;
}

static int do_dump_stats(uint64_t a, uint64_t b, char **words)
{
    ask(FACET_GUEST_DUMP_STATS, (struct facet_guest_args){0});
    return OK;
}

static int do_dump_reset_stats(uint64_t a, uint64_t b, char **words)
{
    ask(FACET_GUEST_DUMP_RESET_STATS, (struct facet_guest_args){0});
    return OK;
}

static int do_work_begin(uint64_t a, uint64_t b, char **words)
{
    ask(FACET_GUEST_WORK_BEGIN, (struct facet_guest_args){a, b, 0, 0, 0, 0});
    return OK;
}

static int do_work_end(uint64_t a, uint64_t b, char **words)
{
    ask(FACET_GUEST_WORK_END, (struct facet_guest_args){a, b, 0, 0, 0, 0});
    return OK;
}

static int do_switch_cpu(uint64_t a, uint64_t b, char **words)
{
    ask(FACET_GUEST_SWITCH_CPU, (struct facet_guest_args){0});
    return OK;
}

static int do_sum(uint64_t a, uint64_t b, char **words)
{
    print(1, "the simulator answers\n"); // main has asked
    return OK;
}

static int do_rpns(uint64_t a, uint64_t b, char **words)
{
    print_number(1, ask(FACET_GUEST_RPNS, (struct facet_guest_args){0}));
    print(1, "\n");
    return OK;
}

static int do_readfile(uint64_t a, uint64_t b, char **words)
{
    uint64_t offset = 0;

    for (;;) {
        uint64_t count, done = 0;

        for (size_t i = 0; i < BUFFER_SIZE; i += 4096) // the pages must be there
            ((volatile char *)buffer)[i] = 0;
        count = ask(FACET_GUEST_READ_FILE, (struct facet_guest_args){(uint64_t)(uintptr_t)buffer,
                                                                     BUFFER_SIZE, offset, 0, 0, 0});
        if (count == 0)
            return OK;
        if (count > BUFFER_SIZE)
            return complain("the simulator could not read the file", "");
        while (done < count) {
            long n =
                guest_syscall(__NR_write, 1, (long)(buffer + done), (long)(count - done), 0, 0, 0);

            if (n <= 0)
                return complain("cannot write to standard output", "");
            done += (uint64_t)n;
        }
        offset += count;
    }
}

static int do_writefile(uint64_t a, uint64_t b, char **words)
{
    const char *name = words[1] ? words[1] : words[0];
    long fd = guest_syscall(__NR_open, (long)words[0], O_RDONLY, 0, 0, 0, 0);
    uint64_t offset = 0;

    if (fd < 0)
        return complain("cannot open ", words[0]);
    for (;;) {
        long count = guest_syscall(__NR_read, fd, (long)buffer, BUFFER_SIZE, 0, 0, 0);

        if (count < 0)
            return complain("cannot read ", words[0]);
        if (count == 0 && offset)
            return OK;
        // An empty file is written once, too.
        if (ask(FACET_GUEST_WRITE_FILE,
                (struct facet_guest_args){(uint64_t)(uintptr_t)buffer, (uint64_t)count, offset,
                                          (uint64_t)(uintptr_t)name, 0, 0}) != (uint64_t)count)
            return complain("the simulator could not write ", name);
        if (count == 0)
            return OK;
        offset += (uint64_t)count;
    }
}

static const struct operation {
    const char *name, *words;
    int least, most; // words
    int numbers;     // whether the words are numbers
    int (*run)(uint64_t a, uint64_t b, char **words);
} operations[] = {
    {"exit", "[CODE]", 0, 1, 1, do_exit},
    {"fail", "CODE", 1, 1, 1, do_fail},
    {"checkpoint", "", 0, 0, 1, do_checkpoint},
    {"reset-stats", "", 0, 0, 1, do_reset_stats},
    {"dump-stats", "", 0, 0, 1, do_dump_stats},
    {"dump-reset-stats", "", 0, 0, 1, do_dump_reset_stats},
    {"readfile", "", 0, 0, 1, do_readfile},
    {"writefile", "FILE [NAME]", 1, 2, 0, do_writefile},
    {"work-begin", "ID [THREAD]", 1, 2, 1, do_work_begin},
    {"work-end", "ID [THREAD]", 1, 2, 1, do_work_end},
    {"switch-cpu", "", 0, 0, 1, do_switch_cpu},
    {"sum", "", 0, 0, 1, do_sum},
    {"rpns", "", 0, 0, 1, do_rpns},
};

#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static int usage(int fd, int code)
{
    print(fd, "usage: facet-guest [--port|--insn|--addr] OPERATION\n\noperations:\n");
    for (size_t i = 0; i < OPERATIONS; i++) {
        print(fd, "  ");
        print(fd, operations[i].name);
        print(fd, operations[i].words[0] ? " " : "");
        print(fd, operations[i].words);
        print(fd, "\n");
    }
    return code;
}

static int run(const struct operation *operation, int count, char **words)
{
    static const char *const means[] = {"port 0xe4", "address 0xffff0000", "the instruction 0f 04"};
    uint64_t numbers[2] = {0, 0};

    if (count < operation->least || count > operation->most)
        return usage(2, USAGE);
    for (int i = 0; operation->numbers && i < count; i++) {
        if (!text_number(words[i], &numbers[i])) {
            complain("no number: ", words[i]);
            return USAGE;
        }
    }
    if (prepare() != OK)
        return FAILED;
    if (!simulator_answers())
        return complain("no simulator answers at ", means[way]);
    return operation->run(numbers[0], numbers[1], words);
}

int guest_main(int argc, char **argv)
{
    static const char *const ways[] = {"--port", "--addr", "--insn"};
    char **word = argv + 1;

    while (*word && (*word)[0] == '-') {
        unsigned i = 0;

        if (text_equal(*word, "--help"))
            return usage(1, OK);
        while (i < 3 && !text_equal(*word, ways[i]))
            i++;
        if (i == 3)
            return usage(2, USAGE);
        way = (enum way)i;
        word++;
    }
    if (!*word)
        return usage(2, USAGE);
    for (size_t i = 0; i < OPERATIONS; i++) {
        if (text_equal(*word, operations[i].name))
            return run(&operations[i], argc - (int)(word + 1 - argv), word + 1);
    }
    complain("unknown operation: ", *word);
    return USAGE;
}
