// SPDX-License-Identifier: BSD-3-Clause
// Architectural state of one x86-64 core: everything that moves between CPU models and into a
// checkpoint, and nothing else. It belongs to the core slot; a CPU model borrows it while it is
// active. gpr comes first, because threaded code names registers by byte offsets below 256.
#pragma once

#include "sim/state.h"

enum x86_gpr { X86_RAX, X86_RCX, X86_RDX, X86_RBX, X86_RSP, X86_RBP, X86_RSI, X86_RDI, X86_R8 };

// The number of the register that an address without base or index uses: always zero.
#define X86_NULL_REG 16

enum x86_seg { X86_ES, X86_CS, X86_SS, X86_DS, X86_FS, X86_GS, X86_LDTR, X86_TR, X86_SEGS };

// seg_attr holds bits 8..23 of a descriptor's high word, shifted down by 8: type 0-3, S 4, DPL 5-6,
// P 7, AVL 12, L 13, D/B 14, G 15; bit 16 marks an unusable (null) segment. seg_limit is in bytes,
// already scaled by G.
#define X86_ATTR_TYPE 0xfu
#define X86_ATTR_S (1u << 4)
#define X86_ATTR_DPL(attr) (((attr) >> 5) & 3u)
#define X86_ATTR_P (1u << 7)
#define X86_ATTR_L (1u << 13)
#define X86_ATTR_DB (1u << 14)
#define X86_ATTR_G (1u << 15)
#define X86_ATTR_UNUSABLE (1u << 16)

// null_reg: always 0. rflags: its arithmetic flags are valid only when no lazy flags are pending.
// tsc_offset: guest TSC = cycles of the core + offset. rng: state of RDRAND and RDSEED.
// ftw: abridged as in FXSAVE, bit i = physical register i in use; TOP is in fsw.
// mxcsr: valid only outside the engine (isa_ops.leave). x87: physical registers, 16 bytes each, the
// value in the low 10; MMX aliases. ymm: 16 x 32 bytes. int_shadow: 1 after STI, 2 after MOV SS.
// clang-format off
#define X86_ARCH_STATE(F, FA, FE, FV) \
    FA(u64, gpr, 16) \
    F(u64, null_reg) \
    F(u64, rip) \
    F(u64, rflags) \
    FA(u64, seg_base, 8) \
    FA(u32, seg_limit, 8) \
    FA(u32, seg_attr, 8) \
    FA(u16, seg_sel, 8) \
    F(u64, gdt_base) \
    F(u64, idt_base) \
    F(u32, gdt_limit) \
    F(u32, idt_limit) \
    F(u64, cr0) \
    F(u64, cr2) \
    F(u64, cr3) \
    F(u64, cr4) \
    F(u64, cr8) \
    F(u64, xcr0) \
    FA(u64, dr, 8) \
    F(u64, efer) \
    F(u64, star) \
    F(u64, lstar) \
    F(u64, cstar) \
    F(u64, sfmask) \
    F(u64, kernel_gs_base) \
    F(u64, sysenter_cs) \
    F(u64, sysenter_esp) \
    F(u64, sysenter_eip) \
    F(u64, tsc_aux) \
    F(u64, tsc_offset) \
    F(u64, tsc_adjust) \
    F(u64, tsc_deadline) \
    F(u64, pat) \
    F(u64, apic_base) \
    F(u64, misc_enable) \
    F(u64, spec_ctrl) \
    F(u64, xss) \
    F(u64, debugctl) \
    F(u64, mtrr_def_type) \
    FA(u64, mtrr_fixed, 11) \
    FA(u64, mtrr_var, 16) \
    F(u64, mcg_status) \
    F(u64, rng) \
    F(u64, fip) \
    F(u64, fdp) \
    F(u16, fcs) \
    F(u16, fds) \
    F(u16, fop) \
    F(u16, fcw) \
    F(u16, fsw) \
    F(u16, ftw) \
    F(u32, mxcsr) \
    FA(u8, x87, 128) \
    FA(u64, ymm, 64) \
    F(u64, exc_error) \
    F(u64, exc_payload) \
    F(u8, exc_pending) \
    F(u8, exc_vector) \
    F(u8, exc_has_error) \
    F(u8, int_shadow) \
    F(u8, nmi_pending) \
    F(u8, nmi_masked) \
    F(u8, halted) \
    F(u8, wait_for_sipi)
// clang-format on

STATE_STRUCT(x86_arch_state, X86_ARCH_STATE);
extern const struct state_field x86_arch_state_fields[];

#define X86_CF 0x1u
#define X86_PF 0x4u
#define X86_AF 0x10u
#define X86_ZF 0x40u
#define X86_SF 0x80u
#define X86_TF 0x100u
#define X86_IF 0x200u
#define X86_DF 0x400u
#define X86_OF 0x800u
#define X86_IOPL 0x3000u
#define X86_NT 0x4000u
#define X86_RF 0x10000u
#define X86_VM 0x20000u
#define X86_AC 0x40000u
#define X86_VIF 0x80000u
#define X86_VIP 0x100000u
#define X86_ID 0x200000u
#define X86_ARITH_FLAGS (X86_CF | X86_PF | X86_AF | X86_ZF | X86_SF | X86_OF)

#define X86_CR0_PE 0x1u
#define X86_CR0_MP 0x2u
#define X86_CR0_EM 0x4u
#define X86_CR0_TS 0x8u
#define X86_CR0_ET 0x10u
#define X86_CR0_NE 0x20u
#define X86_CR0_WP 0x10000u
#define X86_CR0_AM 0x40000u
#define X86_CR0_NW 0x20000000u
#define X86_CR0_CD 0x40000000u
#define X86_CR0_PG 0x80000000u

#define X86_CR4_VME 0x1u
#define X86_CR4_PVI 0x2u
#define X86_CR4_TSD 0x4u
#define X86_CR4_DE 0x8u
#define X86_CR4_PSE 0x10u
#define X86_CR4_PAE 0x20u
#define X86_CR4_MCE 0x40u
#define X86_CR4_PGE 0x80u
#define X86_CR4_PCE 0x100u
#define X86_CR4_OSFXSR 0x200u
#define X86_CR4_OSXMMEXCPT 0x400u
#define X86_CR4_UMIP 0x800u
#define X86_CR4_LA57 0x1000u
#define X86_CR4_FSGSBASE 0x10000u
#define X86_CR4_PCIDE 0x20000u
#define X86_CR4_OSXSAVE 0x40000u
#define X86_CR4_SMEP 0x100000u
#define X86_CR4_SMAP 0x200000u

#define X86_EFER_SCE 0x1u
#define X86_EFER_LME 0x100u
#define X86_EFER_LMA 0x400u
#define X86_EFER_NXE 0x800u

// Exception vectors (SDM vol. 3A table 6-1), by the manual's mnemonic.
enum x86_vector {
    X86_EXC_DE = 0,  // divide error
    X86_EXC_DB = 1,  // debug
    X86_EXC_NMI = 2, //
    X86_EXC_BP = 3,  // breakpoint
    X86_EXC_OF = 4,  // overflow
    X86_EXC_BR = 5,  // bound range
    X86_EXC_UD = 6,  // invalid opcode
    X86_EXC_NM = 7,  // device not available
    X86_EXC_DF = 8,  // double fault
    X86_EXC_TS = 10, // invalid TSS
    X86_EXC_NP = 11, // segment not present
    X86_EXC_SS = 12, // stack segment
    X86_EXC_GP = 13, // general protection
    X86_EXC_PF = 14, // page fault
    X86_EXC_MF = 16, // x87 floating point
    X86_EXC_AC = 17, // alignment check
    X86_EXC_MC = 18, // machine check
    X86_EXC_XM = 19, // SIMD floating point
};
