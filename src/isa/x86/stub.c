// SPDX-License-Identifier: BSD-3-Clause
// The arena of stubs: private memory that is made writable for as long as one stub is copied into
// it. Equal code is kept once. The code itself comes from stub_code.c.
#include "isa/x86/stub.h"

#include "base/error.h"
#include "isa/x86/feature.h"
#include "isa/x86/stub_code.h"

#include <cpuid.h>
#include <string.h>
#include <sys/mman.h>

enum { ARENA_BYTES = 8 << 20, BUCKETS = 4096, MEMOS = 1024, HOST_PAGE = 4096 };

// In front of each stub; stubs begin at multiples of 16 bytes.
struct stub_head {
    u32 next; // offset of the next head in the same bucket; 0: none
    u32 len;
};

// What makes two instructions the same form: all but the address of a memory operand.
struct stub_key {
    u16 opcode, mem_size;
    u8 mode, op_bytes, vex, imm;
    struct {
        u8 kind, reg;
        u16 size;
    } o[X86_MAX_OPERANDS];
};

struct stub_memo {
    struct stub_key key;
    x86_stub_fn *stub; // NULL: not in use
};

// Stands in front of the arena, in pages of its own.
struct x86_stubs {
    struct x86_stub_host host;
    u8 *base; // the first page is for code that is executed once
    u32 used;
    u32 bucket[BUCKETS];
    struct stub_memo memo[MEMOS];
};

enum { HEAD_BYTES = (sizeof(struct x86_stubs) + HOST_PAGE - 1) / HOST_PAGE * HOST_PAGE };

// Features whose instructions stubs execute; what CPUID of the host says about them.
static bool host_has(enum x86_feature feature, const char **ret_name)
{
    static const struct {
        u32 leaf, subleaf, bit;
        enum { NONE, EAX, EBX, ECX, EDX } reg;
        const char *name;
    } rows[] = {
#define FEATURE(name, leaf, subleaf, reg, bit, level, text) {leaf, subleaf, bit, reg, #name},
#include "isa/x86/feature.def"
#undef FEATURE
    };
    u32 r[5] = {0};

    *ret_name = rows[feature].name;
    if (feature == X86_FEATURE_AVX && !__builtin_cpu_supports("avx"))
        return false; // the host's system has not enabled it
    return __get_cpuid_count(rows[feature].leaf, rows[feature].subleaf, &r[EAX], &r[EBX], &r[ECX],
                             &r[EDX]) &&
           (r[rows[feature].reg] >> rows[feature].bit & 1);
}

bool x86_stubs_host_supports(const u64 features[4], struct error *err)
{
    static const enum x86_feature needed[] = {
        X86_FEATURE_SSE3, X86_FEATURE_SSSE3, X86_FEATURE_SSE41, X86_FEATURE_SSE42,
        X86_FEATURE_AVX,  X86_FEATURE_AVX2,  X86_FEATURE_FMA,   X86_FEATURE_F16C,
        X86_FEATURE_AES,  X86_FEATURE_SHA,   X86_FEATURE_PCLMUL};
    const char *name;

    for (u32 k = 0; k < ARRAY_SIZE(needed); k++) {
        enum x86_feature f = needed[k];

        if ((features[f / 64] >> (f % 64) & 1) && !host_has(f, &name))
            return error_set(err, ERROR_UNSUPPORTED,
                             "this host's processor has no %s, which the chosen CPU level shows",
                             name);
    }
    return true;
}

struct x86_stubs *x86_stubs_new(struct error *err)
{
    u8 *p = mmap(NULL, HEAD_BYTES + ARENA_BYTES, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct x86_stubs *s = (struct x86_stubs *)p;
    const char *name;

    if (p == MAP_FAILED) {
        error_set_errno(err, "cannot map memory for host code");
        return NULL;
    }
    if (mprotect(p + HEAD_BYTES, ARENA_BYTES, PROT_READ | PROT_EXEC) != 0) {
        error_set_errno(err, "this host refuses executable memory");
        munmap(p, HEAD_BYTES + ARENA_BYTES);
        return NULL;
    }
    s->base = p + HEAD_BYTES;
    s->used = HOST_PAGE;
    s->host.avx = host_has(X86_FEATURE_AVX, &name);
    s->host.sha = host_has(X86_FEATURE_SHA, &name);
    s->host.tail_call = CORE_TAIL_CALLS;
    return s;
}

bool x86_stubs_host_has_sha(const struct x86_stubs *s)
{
    return s->host.sha;
}

void x86_stubs_pretend_old_host(struct x86_stubs *s)
{
    s->host.avx = s->host.sha = false;
    memset(s->memo, 0, sizeof(s->memo));
}

void x86_stubs_free(struct x86_stubs *s)
{
    if (s)
        munmap(s, HEAD_BYTES + ARENA_BYTES);
}

// Changes the protection of the pages of [offset, offset + len).
static bool protect(struct x86_stubs *s, u32 offset, u32 len, int protection)
{
    u32 first = offset & ~(HOST_PAGE - 1u);

    return mprotect(s->base + first, offset + len - first, protection) == 0;
}

static bool write_code(struct x86_stubs *s, u32 offset, const struct stub_head *head,
                       const struct x86_stub_code *code)
{
    u32 len = (u32)sizeof(*head) + code->len;

    if (!protect(s, offset, len, PROT_READ | PROT_WRITE))
        return false;
    memcpy(s->base + offset, head, sizeof(*head));
    memcpy(s->base + offset + sizeof(*head), code->bytes, code->len);
    return protect(s, offset, len, PROT_READ | PROT_EXEC);
}

// FNV-1a.
static u32 hash(const void *data, size_t n)
{
    const u8 *p = data;
    u64 h = 0xcbf29ce484222325;

    for (size_t k = 0; k < n; k++)
        h = (h ^ p[k]) * 0x100000001b3;
    return (u32)(h >> 32);
}

static x86_stub_fn *code_at(const struct x86_stubs *s, u32 offset)
{
    return (x86_stub_fn *)(uintptr_t)(s->base + offset + sizeof(struct stub_head));
}

x86_stub_fn *x86_stub_find(struct x86_stubs *s, enum x86_code_mode mode, const u8 *bytes, u32 len)
{
    struct x86_stub_code code;
    struct stub_head head;
    u32 *bucket, offset;

    if (!x86_stub_make(&s->host, mode, bytes, len, &code))
        return NULL;
    bucket = &s->bucket[hash(code.bytes, code.len) % BUCKETS];
    for (u32 at = *bucket; at; at = head.next) {
        memcpy(&head, s->base + at, sizeof(head));
        if (head.len == code.len && memcmp(s->base + at + sizeof(head), code.bytes, code.len) == 0)
            return code_at(s, at);
    }
    offset = ((s->used + (u32)sizeof(head) + 15) & ~15u) - (u32)sizeof(head);
    if (offset + sizeof(head) + code.len > ARENA_BYTES)
        return NULL;
    head = (struct stub_head){.next = *bucket, .len = code.len};
    if (!write_code(s, offset, &head, &code))
        return NULL;
    s->used = offset + (u32)sizeof(head) + code.len;
    *bucket = offset;
    return code_at(s, offset);
}

x86_stub_fn *x86_stub_of(struct x86_stubs *s, const struct x86_insn *i)
{
    struct stub_key key;
    struct stub_memo *m;

    memset(&key, 0, sizeof(key)); // it is compared as bytes
    key.opcode = i->si.opcode;
    key.mem_size = i->mem.size;
    key.mode = i->mode;
    key.op_bytes = i->op_bytes;
    key.vex = i->vex;
    key.imm = (u8)i->imm;
    for (u32 k = 0; k < i->n_operands; k++) {
        key.o[k].kind = i->o[k].kind;
        key.o[k].reg = i->o[k].reg;
        key.o[k].size = i->o[k].size;
    }
    m = &s->memo[hash(&key, sizeof(key)) % MEMOS];
    if (!m->stub || memcmp(&m->key, &key, sizeof(key)) != 0) {
        m->stub = x86_stub_find(s, (enum x86_code_mode)i->mode, i->bytes, i->si.len);
        m->key = key;
    }
    return m->stub;
}

__attribute__((target("avx"))) static void clear_upper_halves(void)
{
    __asm__ volatile("vzeroupper");
}

void x86_stubs_done(void)
{
    if (__builtin_cpu_supports("avx"))
        clear_upper_halves();
}

static const struct op *stop(struct core *c, const struct op *op)
{
    return NULL;
}

void x86_stub_call(x86_stub_fn *stub, struct x86_core *c, void *mem)
{
    static const struct op ops[2] = {{.fn = stop}, {.fn = stop}};

    stub(&c->core, ops, mem);
    x86_stubs_done();
}

bool x86_stub_call_once(struct x86_stubs *s, struct x86_core *c, enum x86_code_mode mode,
                        const u8 *bytes, u32 len, void *mem)
{
    const struct stub_head head = {0};
    struct x86_stub_code code;

    if (!x86_stub_make(&s->host, mode, bytes, len, &code) || !write_code(s, 8, &head, &code))
        return false;
    x86_stub_call(code_at(s, 8), c, mem);
    return true;
}
