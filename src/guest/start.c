// SPDX-License-Identifier: BSD-3-Clause
#include "guest/start.h"

#include <asm/unistd.h>

// The kernel starts a program with argc at the stack's top and argv behind it.
__asm__(".globl _start\n"
        "_start:\n"
        "    xorl %ebp, %ebp\n"
        "    movq (%rsp), %rdi\n"
        "    leaq 8(%rsp), %rsi\n"
        "    andq $-16, %rsp\n"
        "    call guest_main\n"
        "    movl %eax, %edi\n"
        "    movl $231, %eax\n" // exit_group
        "    syscall\n");

long guest_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

size_t text_length(const char *text)
{
    size_t length = 0;

    while (text[length])
        length++;
    return length;
}

int text_equal(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

int text_number(const char *text, uint64_t *ret_value)
{
    unsigned base = text[0] == '0' && text[1] == 'x' ? 16 : 10;
    uint64_t value = 0;

    text += base == 16 ? 2 : 0;
    if (!*text)
        return 0;
    for (; *text; text++) {
        unsigned digit = (unsigned)digit_of(*text);

        if (digit >= base || value > (UINT64_MAX - digit) / base)
            return 0;
        value = value * base + digit;
    }
    *ret_value = value;
    return 1;
}

void print(int fd, const char *text)
{
    guest_syscall(__NR_write, fd, (long)text, (long)text_length(text), 0, 0, 0);
}

void print_number(int fd, uint64_t value)
{
    char text[24], *start = text + sizeof(text) - 1;

    *start = '\0';
    do
        *--start = (char)('0' + value % 10);
    while (value /= 10);
    print(fd, start);
}
