// SPDX-License-Identifier: BSD-3-Clause
// An address space: areas (what should be where) and 4-level page tables in guest RAM (what is
// there). Pages come on demand; private ones are copied on write. The layout is fixed: no
// randomisation. Page table format: SDM vol. 3A §4.5.
#pragma once

#include "os/linux/mapping.h"

#define MM_USER_END 0x7ffffffff000ull
#define MM_STACK_TOP 0x7ffffffff000ull
#define MM_MMAP_TOP 0x7ffff7fff000ull // as Linux without randomisation and 8 MiB of stack
#define MM_PIE_BASE 0x555555554000ull
#define MM_MIN_ADDRESS 0x10000ull
#define MM_STACK_GUARD (256 * PAGE_BYTES)

#define MM_ALL_PAGES (~0ull)

enum mm_prot { MM_READ = 1, MM_WRITE = 2, MM_EXEC = 4 }; // the values of PROT_READ...

enum mm_area_flags {
    MM_SHARED = 1 << 0,
    MM_GROWS_DOWN = 1 << 1,
    MM_DONT_FORK = 1 << 2,
    MM_WIPE_ON_FORK = 1 << 3,
    MM_NO_RESERVE = 1 << 4,
    MM_HEAP = 1 << 5,
    MM_STACK = 1 << 6,
    MM_MAY_NOT_WRITE = 1 << 7, // a shared mapping of a file that is open for reading only
};

struct mm_area {
    vaddr start, end;
    u64 offset;          // of start, in the mapping
    struct mapping *map; // owned reference; NULL: private anonymous memory
    u8 prot;             // enum mm_prot
    u8 flags;            // enum mm_area_flags
};

struct mm;
// What an address space needs of its kernel.
struct mm_env {
    struct pages *pages;
    struct mapping_set *mappings;
    // The TLBs of the cores that know the space; MM_ALL_PAGES: it is about to end.
    void (*flush)(void *ctx, struct mm *mm, vaddr va, u64 n_pages);
    void *ctx;
};

struct mm {
    const struct mm_env *env; // borrowed
    u32 refs;
    u32 root; // page of the top page table
    struct mm_area *items;
    size_t count, room;
    vaddr brk_start, brk;
    u64 stack_limit, data_limit;
    u64 resident, peak_resident; // pages
    u64 faults_minor, faults_major;
    // For /proc/self and execve.
    vaddr arg_start, arg_end, env_start, env_end, start_stack;
    char *exe;                      // owned: guest path of the program
    char *cmdline, *environ, *auxv; // owned
    u32 cmdline_bytes, environ_bytes, auxv_bytes;
};

struct mm *mm_new(const struct mm_env *env); // NULL when RAM is full
struct mm *mm_ref(struct mm *mm);
void mm_unref(struct mm *mm);
struct mm *mm_fork(struct mm *mm); // NULL when RAM is full

// The rest returns 0, an address or -errno as the system calls do. Addresses and lengths are those
// of a hostile program.
enum mm_map_flags { MM_FIXED = 1 << 8, MM_FIXED_NOREPLACE = 1 << 9 }; // beside mm_area_flags
i64 mm_map(struct mm *mm, vaddr hint, u64 size, u32 prot, u32 flags, struct mapping *map,
           u64 offset);
i64 mm_unmap(struct mm *mm, vaddr va, u64 size);
i64 mm_protect(struct mm *mm, vaddr va, u64 size, u32 prot);
i64 mm_remap(struct mm *mm, vaddr old, u64 old_size, u64 new_size, u32 flags, vaddr new_va);
i64 mm_set_brk(struct mm *mm, vaddr brk);
// Drops the pages of a range, which read as fresh afterwards (MADV_DONTNEED).
i64 mm_discard(struct mm *mm, vaddr va, u64 size);
i64 mm_sync(struct mm *mm, vaddr va, u64 size);
i64 mm_set_flags(struct mm *mm, vaddr va, u64 size, u32 set, u32 clear);
// Drops the pages of a mapping from `index` on, private copies, too: the file ends before them.
void mm_forget_mapping(struct mm *mm, const struct mapping *map, u64 index);
// Whether every page of the range is in an area.
bool mm_covered(const struct mm *mm, vaddr va, u64 size);

struct mm_area *mm_find(const struct mm *mm, vaddr va); // the one that holds va, or NULL
u64 mm_mapped_bytes(const struct mm *mm);

enum mm_fault {
    MM_FAULT_OK,
    MM_FAULT_NO_AREA,   // SIGSEGV, SEGV_MAPERR
    MM_FAULT_PROTECTED, // SIGSEGV, SEGV_ACCERR
    MM_FAULT_BUS,       // SIGBUS, BUS_ADRERR
    MM_FAULT_NO_MEMORY, // guest RAM is full
};
// A page fault at va: afterwards the access succeeds, or the reason why it cannot.
enum mm_fault mm_fault(struct mm *mm, vaddr va, u32 access); // MM_READ, MM_WRITE or MM_EXEC

// The kernel's own accesses; pages are faulted in. False: -EFAULT.
u8 *mm_host(struct mm *mm, vaddr va, bool write); // valid to the end of the page; or NULL
bool mm_read(struct mm *mm, vaddr va, void *data, u64 size) MUST_CHECK;
bool mm_write(struct mm *mm, vaddr va, const void *data, u64 size) MUST_CHECK;
bool mm_clear(struct mm *mm, vaddr va, u64 size) MUST_CHECK;
// A NUL-terminated string of at most room - 1 bytes; its length, -EFAULT or -ENAMETOOLONG.
i64 mm_read_string(struct mm *mm, vaddr va, char *text, u64 room);
// What names a futex: equal for all who share the word. False if va is not mapped.
bool mm_futex_key(struct mm *mm, vaddr va, const void **ret_object, u64 *ret_offset);
