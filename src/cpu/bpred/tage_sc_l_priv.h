// SPDX-License-Identifier: BSD-3-Clause
// TAGE-SC-L inside: the two published configurations, the state, and what a prediction remembers.
// The tagged part is in tage_sc_l_tagged.h, the statistical corrector in tage_sc_l_corrector.h;
// both are inlined once per configuration, so that its numbers are constants there.
#pragma once

#include "cpu/bpred/direction.h"
#include "cpu/bpred/history.h"
#include "cpu/bpred/loop.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

enum scl_size { SCL_8K, SCL_64K };

// Tagged tables come in pairs, which share history length, tag and the first index; a pair is a
// row here. Of rows with low associativity only the second table exists. Tables have the numbers
// of the paper, from 1: row of pair p has 2p + 1 and 2p + 2.
enum {
    SCL_ROWS = 16,
    SCL_PAIRS = 18,
    SCL_NO_ROW = 0xff,
    SCL_PATH_BITS = 27,
    SCL_COUNTER_BITS = 3,
    SCL_GEHL_BITS = 6,   // of a counter of the corrector
    SCL_WEIGHT_BITS = 6, // of a weight of one of its groups
    SCL_WEIGHTS = 8,     // per group, by address
    SCL_THRESHOLDS = 64, // by address
    SCL_TICKS = 1024,
    SCL_IMLI_MAX = 255,
};

// Groups of tables of the corrector, by the history they see.
enum scl_group {
    SCL_BACKWARD, // global history of taken backward branches
    SCL_GLOBAL,   //
    SCL_PATH,     //
    SCL_LOCAL,    // three histories by address
    SCL_LOCAL2,
    SCL_LOCAL3,
    SCL_IMLI_HISTORY, // outcomes in the same iteration of the innermost loop
    SCL_IMLI,         // number of the iteration
    SCL_GROUPS,
    SCL_BIAS = SCL_GROUPS, // their weight comes last
};
enum {
    SCL_GEHL_TABLES = 3,
    SCL_GEHL_SLOTS = 22, // 17, and room for whole vectors
    SCL_GEHL_LANE = 6,   // the first slot that the 64k version computes in vectors
    SCL_WEIGHT_ROW = 16, // weights of one address; SCL_BIAS is the last used one
};

struct scl_gehl {
    u8 tables, log, halved; // the two with the shortest histories may have half of the entries
    u8 length[SCL_GEHL_TABLES];
    u16 start; // in the state's array
    u8 slot;   // in scl_found.gehl
};

struct scl_config {
    enum scl_size size;
    u8 rows;
    u8 short_rows;  // histories that are shorter than 16
    u8 last_number; // of a table
    u8 log;         // of a bank's entries
    u8 long_row;    // rows from here on share the banks with long tags
    u8 banks_short, banks_long;
    u8 useful_bits;
    u8 base_log, loop_log, bias_log, local_mask;
    u8 use_alts;
    u8 pair[SCL_ROWS];
    u16 length[SCL_ROWS];
    u8 tag_bits[SCL_ROWS];
    bool has_first[SCL_ROWS];
    u8 first_bank[SCL_ROWS], second_bank[SCL_ROWS]; // place in the interleaving
    u8 row_of_pair[SCL_PAIRS];
    // Of the three folded histories (index, tag, tag): widths as multipliers, see history.h.
    u16 out[3][SCL_ROWS], wrap[3][SCL_ROWS], mask[3][SCL_ROWS];
    struct scl_gehl gehl[SCL_GROUPS];
    // The same as above for the 64k version's vectors.
    u16 first_banks[SCL_ROWS], second_banks[SCL_ROWS]; // place in the interleaving
    u16 banks[SCL_ROWS], start[SCL_ROWS];              // of a row's group, and its first one
    u16 shift_low[SCL_ROWS], shift_high[SCL_ROWS];     // of the address, as multipliers
    u32 slots;                                         // tables that exist
};

// A table by row: 2 * row + 1 for the second one. Its number:
static ALWAYS_INLINE unsigned scl_number(const struct scl_config *k, unsigned slot)
{
    return 2u * k->pair[slot / 2] + 1 + slot % 2;
}

enum {
    SCL_64K_SHORT = 10 << 10, // entries in banks with short tags
    SCL_64K_LONG = 20 << 10,
    SCL_8K_SHORT = 9 << 7,
    SCL_8K_LONG = 17 << 7,
    SCL_64K_GEHL = 12544,
    SCL_8K_GEHL = 896,
};
#define SCL_PICK(p, small, large) ((p)->size == SCL_8K ? (u64)(small) : (u64)(large))

#define SCL_PARAMS(P, PR, PB, PS, PC) \
    PC(size, "64k", "8k|64k", "Which of the published configurations")

// counters: 2..0 the signed counter | 4..3 useful. base: as in tage.c.
#define SCL_STATE(F, FA, FE, FV)                                                            \
    F(u64, random)                                                                          \
    F(u64, recent)   /* the newest outcomes of the ring */                                  \
    F(u64, global)   /* outcomes of conditional branches */                                 \
    F(u64, backward) /* 1: taken and backward */                                            \
    F(i64, threshold)                                                                       \
    F(i64, use_loop)                                                                        \
    F(i64, chooser)  /* TAGE or corrector: at medium confidence, */                         \
    F(i64, chooser2) /* and at high confidence */                                           \
    F(u32, position)                                                                        \
    F(u32, path)                                                                            \
    F(u32, imli)                                                                            \
    F(u32, ticks)                                                                           \
    FA(u32, wide_fold, SCL_ROWS) /* of indices, 8k */                                       \
    FA(u16, index_fold, SCL_ROWS)                                                           \
    FA(u16, tag_fold, SCL_ROWS)                                                             \
    FA(u16, tag_fold2, SCL_ROWS)                                                            \
    FA(u16, imli_history, SCL_IMLI_MAX + 1)                                                 \
    FA(u16, local, 256)                                                                     \
    FA(u16, local2, 16)                                                                     \
    FA(u16, local3, 16)                                                                     \
    FA(u8, use_alt, 16)                                                                     \
    FA(u8, thresholds, SCL_THRESHOLDS)                                                      \
    FA(u8, weights, SCL_WEIGHTS *SCL_WEIGHT_ROW)                                            \
    FA(u8, ring, HISTORY_BYTES)                                                             \
    FA(u8, pad, 4)                                                                          \
    FV(u16, tags, SCL_PICK(p, SCL_8K_SHORT + SCL_8K_LONG, SCL_64K_SHORT + SCL_64K_LONG))    \
    FV(u8, counters, SCL_PICK(p, SCL_8K_SHORT + SCL_8K_LONG, SCL_64K_SHORT + SCL_64K_LONG)) \
    FV(u8, base, SCL_PICK(p, 1 << 12, 1 << 13))                                             \
    FV(u8, bias, SCL_PICK(p, 3 << 7, 3 << 8))                                               \
    FV(u8, gehl, SCL_PICK(p, SCL_8K_GEHL, SCL_64K_GEHL))                                    \
    FV(u64, loops, SCL_PICK(p, 1 << 3, 1 << 5))                                             \
    FV(u16, loop_current, SCL_PICK(p, 1 << 3, 1 << 5))

STATE_STRUCT(tage_sc_l_state, SCL_STATE);
PARAM_STRUCT(tage_sc_l_params, SCL_PARAMS);
STAT_STRUCT(tage_sc_l_stats, NO_ROWS);

// What a conditional branch changed in tables of histories.
struct scl_undo {
    u16 local, local2, local3, imli, loop; // old values
    u8 local_at, local2_at, local3_at, imli_at;
    u16 loop_at; // or SCL_NO_LOOP
};
enum { SCL_NO_LOOP = 0xffff };

struct tage_sc_l {
    struct component base;
    struct tage_sc_l_params p;
    struct tage_sc_l_state st;
    struct tage_sc_l_stats n;
    DERIVED(struct loop_table loop);
    DERIVED(struct scl_undo *undo); // ring of BPRED_IN_FLIGHT
    DERIVED(u32 head);              // of it; counts up
    // The next outcomes that leave each history, first one on top; how many are left.
    DERIVED(_Alignas(16) u16 leaving[SCL_ROWS]);
    DERIVED(u32 leaving_left);
    // Of the corrector's tables from slot SCL_GEHL_LANE on: masks of histories, right shifts as
    // multipliers, masks of indices, starts.
    DERIVED(_Alignas(16) u16 lanes[4][16]);
    DERIVED(u16 bank_short[2 * 16]); // where the i-th bank after bank 0 begins, modulo their number
    DERIVED(u16 bank_long[2 * 20]);
};

struct scl_found {
    u16 index[2][SCL_ROWS]; // in the first and the second table of each row
    u16 tag[SCL_ROWS];
    u16 gehl[SCL_GEHL_SLOTS];
    u16 bias[3];
    u16 base;
    u16 hit_entry, alt_entry;
    struct loop_memory loop;
    i16 sum, threshold;         // of the corrector
    u8 hit, alt;                // numbers of tables; 0: base
    u8 longest, alternate;      // what they predict
    u8 tage, inter, taken;      // after TAGE, after the loop predictor, in the end
    u8 confidence;              // enum scl_confidence
    u8 alternate_sure;          //
    u8 threshold_at, weight_at; // by address
};
struct scl_before {
    union {
        u16 narrow[SCL_ROWS];
        u32 wide[SCL_ROWS];
    } index_fold;
    u16 tag_fold[SCL_ROWS], tag_fold2[SCL_ROWS];
    u64 recent, global, backward;
    u32 position, path, head;
    u16 imli;
};
_Static_assert(sizeof(struct scl_found) <= DIRECTION_FOUND_BYTES &&
                   sizeof(struct scl_before) <= DIRECTION_BEFORE_BYTES,
               "a prediction has no room for it");

enum scl_confidence { SCL_LOW, SCL_LESS, SCL_MEDIUM, SCL_HIGH }; // |2 counter + 1|: 1, 3, 5, 7

static inline struct tage_sc_l *scl_of(const struct component *c)
{
    return (struct tage_sc_l *)(uintptr_t)c;
}
static inline int scl_counter(u8 entry)
{
    return (i8)(u8)(entry << 5) >> 5;
}
static inline u64 scl_random(struct tage_sc_l *s)
{
    struct rng rng = {s->st.random};
    u64 random = rng_next(&rng);

    s->st.random = rng.state;
    return random;
}
