// SPDX-License-Identifier: BSD-3-Clause
// The DRAM controller's insides. dram.c: the component; dram_queue.c: its queues and answers;
// dram_schedule.c: which command is issued when; dram_command.c: what a command does to the
// devices; dram_address.c: where a line lies.
//
// Time is in clocks of the command bus (cycles of tCK from tick 0). A channel is a state machine
// that is stepped at its `wake` clock, issues at most one command and says when it can do something
// again. While it has requests the event queue steps it; at rest it sleeps, and what it would have
// done (refreshes, rows that time out, power-down) is caught up on before the next request.
#pragma once

#include "mem/dram.h"
#include "mem/dram_checker.h"
#include "mem/dram_timings.h"
#include "sim/sim.h"
#include "sim/timed.h"

#define DRAM_NEVER (~(u64)0)
#define DRAM_PAGE_POLICIES "open|closed|closed_adaptive|timeout"
#define DRAM_REFRESHES "all_bank|per_bank|none"

enum { DRAM_OPEN, DRAM_CLOSED, DRAM_CLOSED_ADAPTIVE, DRAM_TIMEOUT };
enum { DRAM_ALL_BANK, DRAM_PER_BANK, DRAM_NO_REFRESH };
enum { DRAM_CHANNELS_MOST = 32, DRAM_RANKS_MOST = 8, DRAM_QUEUE_MOST = 512 };

#define DRAM_PARAMS(P, PR, PB, PS, PC)                                                             \
    PC(standard, "ddr4-2400", DRAM_STANDARD_NAMES, "Devices and speed")                            \
    P(u32, channels, 1, 1, DRAM_CHANNELS_MOST, "Channels, a power of two")                         \
    P(u32, ranks, 1, 1, DRAM_RANKS_MOST, "Ranks of a channel, a power of two")                     \
    P(bytes, size, 0, 0, GiB(65536), "Memory that there has to be room for; 0: any")               \
    PS(mapping, "RoRaBaCoBgCh",                                                                    \
       "Fields of a line's address from the top: Ro(w) Ra(nk) Ba(nk) Bg(roup) Co(lumn) Ch(annel)." \
       " Without Bg the bank group is the lower part of Ba")                                       \
    PB(bank_hash, false, "Bank number is combined with the lowest bits of the row")                \
    PC(page_policy, "open", DRAM_PAGE_POLICIES,                                                    \
       "Rows stay open; close after each access; after the last one that is queued; when unused")  \
    P(ticks, page_timeout, 200000, 1000, TICKS_PER_SECOND, "Time until an unused row is closed")   \
    P(u32, read_queue, 64, 1, DRAM_QUEUE_MOST, "Reads in flight in a channel")                     \
    P(u32, write_queue, 64, 1, DRAM_QUEUE_MOST, "Writes queued in a channel")                      \
    P(u32, write_high, 85, 1, 100, "Percentage of the write queue at which writes are drained")    \
    P(u32, write_low, 50, 0, 99, "Percentage of the write queue at which reads go first again")    \
    P(u32, write_batch, 16, 1, DRAM_QUEUE_MOST, "Requests at least before the direction changes")  \
    P(u32, starvation_cap, 16, 1, 1000000, "Younger requests that may be served before one")       \
    PC(refresh, "all_bank", DRAM_REFRESHES, "Refresh of a rank")                                   \
    P(ticks, powerdown, 0, 0, TICKS_PER_SECOND, "Idle time until a rank powers down; 0: never")    \
    P(ticks, frontend, 10000, 0, 1000000, "From the port to the queues")                           \
    P(ticks, backend, 10000, 0, 1000000, "From the end of the data to whoever asked")              \
    PB(check, false, "Verify every command with the JEDEC timing checker")

// Parts of the state as arrays of u64s; see the structs below.
enum { DRAM_BANK_WORDS = 8, DRAM_GROUP_WORDS = 4, DRAM_RANK_WORDS = 16, DRAM_CHANNEL_WORDS = 8 };

#define DRAM_STATE(F, FA, FE, FV)                                                           \
    FE(issue)                                                                               \
    FE(respond)                                                                             \
    FV(u64, channels, p->channels *DRAM_CHANNEL_WORDS)                                      \
    FV(u64, ranks, p->channels * p->ranks * DRAM_RANK_WORDS)                                \
    FV(u64, groups,                                                                         \
       p->channels * p->ranks * dram_standards[p->standard].bank_groups * DRAM_GROUP_WORDS) \
    FV(u64, banks,                                                                          \
       p->channels * p->ranks * dram_standard_banks(&dram_standards[p->standard]) *         \
           DRAM_BANK_WORDS)

#define DRAM_STATS(S, SV, SH, SG, SR)                                                       \
    S(readReqs, "Count", "Read requests")                                                   \
    S(writeReqs, "Count", "Write requests")                                                 \
    S(atomicReqs, "Count", "Requests of functional warming")                                \
    S(readBursts, "Count", "Read bursts")                                                   \
    S(writeBursts, "Count", "Write bursts")                                                 \
    S(servicedByWrQ, "Count", "Reads answered by the write queue")                          \
    S(mergedWrBursts, "Count", "Writes merged with a queued one")                           \
    S(numRdRetry, "Count", "Times the read queue was full")                                 \
    S(numWrRetry, "Count", "Times the write queue was full")                                \
    S(bytesRead, "Byte", "Bytes read from the devices")                                     \
    S(bytesWritten, "Byte", "Bytes written to the devices")                                 \
    S(readsDone, "Count", "Reads that were served by the devices")                          \
    S(writesDone, "Count", "Writes that were served by the devices")                        \
    S(readRowHits, "Count", "Reads that found their row open")                              \
    S(writeRowHits, "Count", "Writes that found their row open")                            \
    S(totQLat, "Tick", "Time of reads in the queue")                                        \
    S(totMemAccLat, "Tick", "Time of reads from the port and back")                         \
    S(activates, "Count", "Rows opened")                                                    \
    S(precharges, "Count", "Rows closed by a command")                                      \
    S(refreshes, "Count", "Refresh commands; of idle ones, when the channel is used again") \
    S(readToWrite, "Count", "Turnarounds from reading to writing")                          \
    S(writeToRead, "Count", "Turnarounds from writing to reading")                          \
    S(starved, "Count", "Requests that had to be put first")                                \
    S(powerDowns, "Count", "Times a rank powered down")                                     \
    S(powerDownTime, "Tick", "Time of ranks in power-down")                                 \
    S(busTicks, "Tick", "Time of data on the buses")                                        \
    S(totalTicks, "Tick", "Time that passed, of all channels")                              \
    SH(rdQLen, 16, 0, "Count", "Reads queued when a read comes")                            \
    SH(wrQLen, 16, 0, "Count", "Writes queued when a write comes")                          \
    SR(readRowHitRate, readRowHits, readsDone, "Ratio", "Row hits per read")                \
    SR(writeRowHitRate, writeRowHits, writesDone, "Ratio", "Row hits per write")            \
    SR(avgQLat, totQLat, readsDone, "Tick", "Average time of a read in the queue")          \
    SR(avgMemAccLat, totMemAccLat, readsDone, "Tick", "Average time of a read")             \
    SR(busUtil, busTicks, totalTicks, "Ratio", "Use of the data buses")

#define DRAM_EVENTS(E) E(issue, dram_issue) E(respond, dram_respond)

PARAM_STRUCT(dram_params, DRAM_PARAMS);
STATE_STRUCT(dram_state, DRAM_STATE);
STAT_STRUCT(dram_stats, DRAM_STATS);

// Each time is the first clock at which such a command may be issued, as far as this part of the
// device is concerned.
struct dram_bank {
    u64 row; // 1 + the open one; 0: closed
    u64 act, pre, read, write;
    u64 used; // last column command, for the timeout
    u64 pad[2];
};
struct dram_group {
    u64 act, read, write, pad;
};
struct dram_rank {
    u64 act, read, write;
    u64 faw[4], faw_next; // ends of the windows of the last four ACTs; the oldest
    u64 refresh;          // when the next one is due
    u64 set, set_free;    // per-bank refresh: whose turn, not before
    u64 ready;            // no command before (power-down)
    u64 quiet;            // power-down not before
    u64 down;             // 1: in power-down
    u64 down_since, pad;
};
struct dram_channel {
    u64 wake;
    u64 command;        // the command bus is free
    u64 data_end;       // the data bus is free
    u64 data_rank;      // who used it last
    u64 writing, batch; // direction; requests of this turn
    u64 forced;         // it writes because of the high watermark
    u64 counted;        // clocks in totalTicks
};
_Static_assert(sizeof(struct dram_bank) == DRAM_BANK_WORDS * sizeof(u64), "words of a bank");
_Static_assert(sizeof(struct dram_group) == DRAM_GROUP_WORDS * sizeof(u64), "words of a group");
_Static_assert(sizeof(struct dram_rank) == DRAM_RANK_WORDS * sizeof(u64), "words of a rank");
_Static_assert(sizeof(struct dram_channel) == DRAM_CHANNEL_WORDS * sizeof(u64), "words");

// Where a line lies.
struct dram_place {
    u32 channel, rank, bank; // bank of the rank
    u32 row, column;         // column counts lines
};

struct dram_request {
    struct timed_client *client;
    u64 line;
    tick arrived;
    u32 token, bypassed;
    u8 left;     // bursts that are still to be done
    bool missed; // its row had to be opened
};

// What the scheduler looks at of a request.
struct dram_slot {
    u64 ready; // not before this clock
    u32 row;
    u16 index;             // in requests
    u16 bank_at, group_at; // of the channel
    u8 rank, bank;         // bank of the rank
};

// Requests by age, the oldest first. No request outlives a drain, so none is state.
struct dram_queue {
    u32 count;
    struct dram_slot slots[DRAM_QUEUE_MOST];
};

// What a channel does next, as long as no request comes: at clock `when` this command, or another
// look around.
struct dram_plan {
    u64 when;
    u32 kind; // of the command; DRAM_COMMANDS: only look
    u32 rank, bank, row;
    u32 position; // of the request in the queue that is served; DRAM_QUEUE_MOST: of none
    bool valid;
};

struct dram_response {
    struct timed_client *client;
    tick when;
    u32 token;
};

struct dram_channel_work {
    struct dram_queue reads, writes;
    struct dram_plan plan;
    struct dram_request *requests; // pool
    u16 *free;
    u32 free_count;
    struct dram_response *responses; // ring, in the order of time
    u32 first_response, response_count;
    u32 rank_requests[DRAM_RANKS_MOST];
    u16 written[256];             // queued writes, by a hash of their line
    struct dram_checker *checker; // NULL: none
};

struct dram_field {
    u8 shift, bits;
};
struct dram_map {
    struct dram_field row, rank, bank, group, column, channel;
    u32 group_of_bank; // bits of the bank group in the bank field
};

struct dram {
    struct component base;
    struct dram_params p;
    struct dram_state st;
    struct dram_stats n;
    DERIVED(const struct dram_standard *standard);
    DERIVED(struct dram_timings t);
    DERIVED(struct dram_map map);
    DERIVED(u32 rank_banks); // banks of a rank
    DERIVED(u32 bursts);     // of a line
    DERIVED(u32 high);       // watermarks of the write queue
    DERIVED(u32 low);
    DERIVED(u64 page_timeout); // in clocks, as the next ones
    DERIVED(u64 powerdown);
    DERIVED(struct dram_bank *banks);
    DERIVED(struct dram_group *groups);
    DERIVED(struct dram_rank *ranks);
    DERIVED(struct dram_channel *channels);
    DERIVED(struct dram_channel_work *work);
    // Tests listen to the commands.
    DERIVED(void (*listen)(void *context, u32 channel, const struct dram_command *command));
    DERIVED(void *listener);
};

static inline u64 dram_clock(const struct dram *d, tick when) // the first one not before `when`
{
    return (when + d->standard->tCK_ps - 1) / d->standard->tCK_ps;
}
static inline tick dram_tick(const struct dram *d, u64 clock)
{
    return clock * d->standard->tCK_ps;
}

// dram_address.c
bool dram_map_parse(struct dram *d, struct error *err) MUST_CHECK;
struct dram_place dram_place_of(const struct dram *d, paddr pa);
u64 dram_capacity(const struct dram *d);

// dram_schedule.c
// At clock `now` (not before its wake): issues a command if one can be. Sets the next wake.
void dram_step(struct dram *d, u32 channel, u64 now);
// Does what the channel would have done up to and including clock `now`, without requests.
void dram_catch_up(struct dram *d, u32 channel, u64 now);

// dram_command.c
void dram_command_issue(struct dram *d, u32 channel, const struct dram_command *command);
static inline bool dram_is_write(u32 kind)
{
    return kind == DRAM_WR || kind == DRAM_WRA;
}

// dram_queue.c
enum timed_answer dram_request(struct dram *d, const struct timed_access *a, tick now,
                               struct timed_client *client, u32 token, tick *ret_when);
void dram_schedule_issue(struct dram *d); // wakes were changed
void dram_issue_due(struct dram *d);
void dram_respond_due(struct dram *d);
void dram_queues_clear(struct dram *d);
// For the scheduler: the last burst of the request was issued at clock `now`.
void dram_finish(struct dram *d, u32 channel, struct dram_queue *queue, u32 position, u64 now);

static inline bool dram_has_requests(const struct dram_channel_work *w)
{
    return w->reads.count || w->writes.count;
}
static inline void dram_raise(u64 *when, u64 to)
{
    *when = MAX(*when, to);
}
static inline struct dram_rank *dram_rank_of(const struct dram *d, u32 channel, u32 rank)
{
    return &d->ranks[channel * d->p.ranks + rank];
}
static inline struct dram_bank *dram_bank_of(const struct dram *d, u32 channel, u32 rank, u32 bank)
{
    return &d->banks[(channel * d->p.ranks + rank) * d->rank_banks + bank];
}
