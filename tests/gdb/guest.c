// SPDX-License-Identifier: BSD-3-Clause
// What test_gdb.py looks at with gdb: two CPUs that count, and an end by ACPI.
typedef unsigned long u64;

volatile u64 counter, read_often = 7, total, second_counter, go = 1;
volatile double ratio;
volatile unsigned char bytes[64];
volatile u64 checksum;

static void out(unsigned short port, unsigned value, int size)
{
    if (size == 1)
        __asm__ volatile("outb %b0, %1" : : "a"(value), "Nd"(port));
    else
        __asm__ volatile("outw %w0, %1" : : "a"(value), "Nd"(port));
}

static void write_msr(unsigned index, u64 value)
{
    __asm__ volatile("wrmsr" : : "c"(index), "a"((unsigned)value), "d"((unsigned)(value >> 32)));
}

__attribute__((noinline)) void tick(u64 n)
{
    counter += n;
    ratio = (double)counter / 2;
}

__attribute__((noinline)) void reader(void)
{
    total += read_often;
}

void second_main(void)
{
    while (go) {
        second_counter++;
        __asm__ volatile("pause");
    }
}

static void start_second(void)
{
    volatile unsigned *apic = (volatile unsigned *)0xfee00000;

    apic[0xf0 / 4] = 0x1ff;
    apic[0x310 / 4] = 1 << 24;
    apic[0x300 / 4] = 0x4500; // INIT
    apic[0x310 / 4] = 1 << 24;
    apic[0x300 / 4] = 0x4608; // start at 0x8000
}

__attribute__((noinline)) void work(void)
{
    for (u64 i = 1; i <= 10; i++) {
        tick(i);
        reader();
    }
}

void finish(void)
{
    if (counter == 55)
        out(0x604, 5 << 10 | 1 << 13, 2); // off
    out(0xf4, (unsigned)counter & 0xff, 1);
}

static void sum_code(void)
{
    for (const unsigned char *p = (const unsigned char *)tick; p < (unsigned char *)second_main;
         p++)
        checksum = checksum * 31 + *p;
}

int main(void)
{
    sum_code();
    write_msr(0xc0000100, 0x123456789abc);     // FS base
    write_msr(0xc0000102, 0xffff800000001000); // GS base of the kernel
    start_second();
    while (second_counter < 1000)
        __asm__ volatile("pause");
    work();
    go = 0;
    __asm__ volatile("rep movsb" : : "D"(bytes), "S"(bytes + 32), "c"(32l) : "memory");
    finish();
    return 0;
}
