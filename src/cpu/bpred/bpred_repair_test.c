// SPDX-License-Identifier: BSD-3-Clause
// Speculation leaves no trace: wrong paths, flushes and checkpoints do not change what a predictor
// becomes, and no saved state can break it.
#include "cpu/bpred/bpred_test_board.h"

#include "base/alloc.h"
#include "base/json.h"

#include <jansson.h>

enum { STEPS = 6000, DEPTH = 24, BURST = 12, WRONG_MOST = 40, PCS = 64 };

struct step {
    struct branch b;
    bool taken;
    vaddr target;
};

// A random program's branches: each address has its kind and behaviour; calls and returns nest.
struct program {
    struct rng rng;
    u64 counts[PCS];
    vaddr stack[64];
    unsigned depth;
};

static struct step next_step(struct program *g)
{
    u64 slot = rng_below(&g->rng, PCS), i = g->counts[slot]++;
    struct step s = {
        .b = branch_at(0x400000 + slot * 37, BRANCH_CONDITIONAL, slot & 1 ? 0x3ff000 : 0x401000),
        .taken = true};

    if (slot < 40) {
        s.taken = slot < 10 ? true : slot < 20 ? i % 7 != 6 : slot < 30 ? i * i % 11 < 6 : i % 3;
        if (rng_below(&g->rng, 16) == 0)
            s.taken = !s.taken;
    } else if (slot < 46) {
        s.b.kind = BRANCH_JUMP;
    } else if (slot < 52) {
        s.b.kind = slot & 1 ? BRANCH_INDIRECT : BRANCH_INDIRECT_CALL;
        s.b.target = 0;
        s.target = 0x500000 + i % (slot - 44) * 64;
    } else if (slot < 58 && g->depth < ARRAY_SIZE(g->stack)) {
        s.b.kind = BRANCH_CALL;
    } else if (g->depth > 0) {
        s.b.kind = BRANCH_RETURN;
        s.b.target = 0;
        s.target = g->stack[--g->depth];
    }
    if (s.b.kind == BRANCH_CALL || s.b.kind == BRANCH_INDIRECT_CALL) {
        if (g->depth == ARRAY_SIZE(g->stack))
            g->depth--;
        g->stack[g->depth++] = s.b.fall;
    }
    if (s.b.target)
        s.target = s.taken ? s.b.target : s.b.fall;
    return s;
}

// A front end with branches in flight. `wrong_paths`: it goes down wrong paths, and flushes at
// random; without, it waits.
struct front_end {
    struct bpred_board board;
    struct step steps[DEPTH];
    struct prediction p[DEPTH];
    unsigned first, open;
    unsigned fresh; // predicted after the last commit
    struct rng rng;
    bool wrong_paths;
    u64 story; // of all predictions on the right path
};

static void squash_all(struct front_end *f, struct prediction *p, unsigned n)
{
    while (n)
        bpred_squash(f->board.bpred, &p[--n]);
}

// Branches behind a wrong prediction, some of which are resolved wrong themselves.
static void wrong_path(struct front_end *f, struct program *like)
{
    static struct prediction p[WRONG_MOST];
    struct step steps[WRONG_MOST];
    struct program g = *like;
    unsigned n = 0, length = (unsigned)rng_below(&f->rng, WRONG_MOST);

    g.rng.state = rng_next(&f->rng);
    for (; n < length; n++) {
        steps[n] = next_step(&g);
        bpred_predict(f->board.bpred, &steps[n].b, &p[n]);
        if (rng_below(&f->rng, 5) == 0) {
            unsigned k = n - (unsigned)rng_below(&f->rng, MIN(n + 1, 6));

            if (bpred_resolve(f->board.bpred, &steps[k].b, &p[k], steps[k].taken,
                              steps[k].target)) {
                squash_all(f, p + k + 1, n - k);
                n = k;
            }
        }
    }
    squash_all(f, p, n);
}

static void commit_oldest(struct front_end *f)
{
    unsigned k = f->first;

    bpred_commit(f->board.bpred, &f->steps[k].b, &f->p[k], f->steps[k].taken, f->steps[k].target);
    f->first = (k + 1) % DEPTH;
    f->open--;
    f->fresh = 0;
}

static void predict_next(struct front_end *f, const struct step *s)
{
    unsigned k = (f->first + f->open++) % DEPTH;

    f->fresh++;
    f->steps[k] = *s;
    bpred_predict(f->board.bpred, &s->b, &f->p[k]);
}

// An exception: the youngest `n` are predicted again, from the same tables, since nothing has
// committed meanwhile. They were resolved already.
static void flush(struct front_end *f, unsigned n)
{
    unsigned first = (f->first + f->open - n) % DEPTH;

    bpred_rewind(f->board.bpred, &f->p[first]);
    for (unsigned i = 0; i < n; i++)
        bpred_squash(f->board.bpred, &f->p[(first + i) % DEPTH]);
    f->open -= n;
    f->fresh -= n;
    for (unsigned i = 0; i < n; i++) {
        struct step s = f->steps[(first + i) % DEPTH];

        predict_next(f, &s);
        bpred_resolve(f->board.bpred, &s.b, &f->p[(first + i) % DEPTH], s.taken, s.target);
    }
}

static void advance(struct front_end *f, struct program *g, const struct step *s)
{
    unsigned k;
    struct prediction *p;
    bool wrong;

    if (f->open == DEPTH)
        for (unsigned i = 0; i < BURST; i++)
            commit_oldest(f);
    predict_next(f, s);
    k = (f->first + f->open - 1) % DEPTH;
    p = &f->p[k];
    wrong = p->taken != s->taken || (s->taken && (!p->target_known || p->target != s->target));
    f->story = f->story * 31 + p->taken + p->target * p->target_known;
    if (wrong && f->wrong_paths)
        wrong_path(f, g);
    assert_int_equal(bpred_resolve(f->board.bpred, &s->b, p, s->taken, s->target), wrong);
    if (f->wrong_paths && rng_below(&f->rng, 20) == 0)
        flush(f, 1 + (unsigned)rng_below(&f->rng, f->fresh));
}

static void finish(struct front_end *f)
{
    while (f->open)
        commit_oldest(f);
    assert_true(bpred_type.ops->drain(f->board.bpred));
}

static void assert_equal_states(struct component *a, struct component *b)
{
    for (; a; a = component_after(a), b = component_after(b)) {
        u64 index;
        const struct state_field *f =
            state_compare(component_state(a), component_state(b), a->type->state, &index);

        if (f)
            fail_msg("%s.%s[%llu] differs", a->path, f->name, (unsigned long long)index);
    }
}

static void wrong_paths_and_flushes_leave_no_trace(void **state)
{
    static struct front_end straight, wild;
    struct program g = {.rng = {11}};

    memset(&straight, 0, sizeof(straight));
    memset(&wild, 0, sizeof(wild));
    wild.wrong_paths = true;
    wild.rng.state = 5;
    board_init(&straight.board, *state);
    board_init(&wild.board, *state);
    for (unsigned i = 0; i < STEPS; i++) {
        struct step s = next_step(&g);

        advance(&straight, &g, &s);
        advance(&wild, &g, &s);
        if (straight.story != wild.story)
            fail_msg("step %u is predicted differently", i);
    }
    finish(&straight);
    finish(&wild);
    assert_true(board_stat(&wild.board, "squashes") > 1000);
    assert_equal_states(straight.board.sim.root, wild.board.sim.root);
    board_release(&straight.board);
    board_release(&wild.board);
}

static void copy_state(struct component *from, struct component *to)
{
    for (; from; from = component_after(from), to = component_after(to)) {
        struct error err;
        AUTO(strbuf) struct strbuf text = {0};
        struct json_out j = json_out_to(&text);
        json_t *object;

        state_save(&j, component_state(from), from->type->state);
        object = json_parse(text.text, text.length, from->path, &err);
        if (!object || !state_load(component_state(to), to->type->state, object, &err))
            fail_msg("%s: %s", from->path, err.message);
        json_decref(object);
    }
}

static void a_restored_predictor_goes_on_as_the_saved_one(void **state)
{
    static struct front_end original, copy;
    struct program g = {.rng = {23}};

    memset(&original, 0, sizeof(original));
    memset(&copy, 0, sizeof(copy));
    board_init(&original.board, *state);
    board_init(&copy.board, *state);
    for (unsigned i = 0; i < STEPS; i++) {
        struct step s = next_step(&g);

        advance(&original, &g, &s);
    }
    assert_false(bpred_type.ops->drain(original.board.bpred)); // there are some in flight
    finish(&original);
    copy_state(original.board.sim.root, copy.board.sim.root);
    for (struct component *c = copy.board.sim.root; c; c = component_after(c)) {
        struct error err;

        if (c->type->ops && c->type->ops->after_load && !c->type->ops->after_load(c, &err))
            fail_msg("%s: %s", c->path, err.message);
    }
    copy.story = original.story;
    for (unsigned i = 0; i < STEPS; i++) {
        struct step s = next_step(&g);

        advance(&original, &g, &s);
        advance(&copy, &g, &s);
        if (original.story != copy.story)
            fail_msg("step %u is predicted differently", i);
    }
    finish(&original);
    finish(&copy);
    assert_equal_states(original.board.sim.root, copy.board.sim.root);
    board_release(&original.board);
    board_release(&copy.board);
}

static void warming_is_predicting_and_committing_at_once(void **state)
{
    struct bpred_board warmed, stepped;
    struct program g = {.rng = {31}};

    board_init(&warmed, *state);
    board_init(&stepped, *state);
    for (unsigned i = 0; i < STEPS; i++) {
        struct step s = next_step(&g);
        struct prediction p;
        bool wrong;

        bpred_predict(stepped.bpred, &s.b, &p);
        wrong = bpred_resolve(stepped.bpred, &s.b, &p, s.taken, s.target);
        bpred_commit(stepped.bpred, &s.b, &p, s.taken, s.target);
        assert_int_equal(bpred_warm(warmed.bpred, &s.b, s.taken, s.target), wrong);
    }
    assert_true(bpred_type.ops->drain(warmed.bpred));
    assert_true(bpred_type.ops->drain(stepped.bpred));
    assert_equal_states(warmed.sim.root, stepped.sim.root);
    board_release(&warmed);
    board_release(&stepped);
}

// Gives a row random values; puts the old ones back if those are refused.
static bool randomise_row(struct component *c, const struct state_field *f, u8 *at, struct rng *rng)
{
    const struct state_field row[2] = {*f};
    u8 *data = at;
    size_t size = f->size;
    struct error err;
    u8 *old;
    bool good;

    if (f->shape == STATE_VECTOR) {
        u64 count;

        memcpy(&count, at, sizeof(count));
        memcpy(&data, at + sizeof(count), sizeof(data));
        size = count * state_kind_size(f->kind);
    }
    old = xcalloc(size + 1, 1);
    memcpy(old, data, size);
    state_randomise(at, row, rng);
    good = !c->type->ops->after_load || c->type->ops->after_load(c, &err);
    if (!good)
        memcpy(data, old, size);
    free(old);
    return good;
}

// Random values are refused or harmless.
static void a_hostile_state_breaks_nothing(void **state)
{
    struct rng rng = {1};

    for (unsigned round = 0; round < 4; round++) {
        static struct front_end f;
        struct program g = {.rng = {round}};
        unsigned accepted = 0;

        memset(&f, 0, sizeof(f));
        f.wrong_paths = true;
        board_init(&f.board, *state);
        for (struct component *c = f.board.sim.root; c; c = component_after(c)) {
            u8 *at = component_state(c);

            for (const struct state_field *row = c->type->state; row->name; at += row->size, row++)
                accepted += randomise_row(c, row, at, &rng);
        }
        assert_true(accepted >= 4);
        for (unsigned i = 0; i < 1000; i++) {
            struct step s = next_step(&g);

            advance(&f, &g, &s);
        }
        finish(&f);
        board_release(&f.board);
    }
}

// The stack with less than exact repair: what is restored is what the publication says.
static void repairing_the_top_is_enough_for_one_wrong_return(void **state)
{
    static const struct {
        const char *settings;
        bool right;
    } cases[] = {{"direction=bimodal ras_repair=exact", true},
                 {"direction=bimodal ras_repair=top", true},
                 {"direction=bimodal ras_repair=none", false}};

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bpred_board b;
        struct branch call = branch_at(0x1000, BRANCH_CALL, 0x2000);
        struct branch jump = branch_at(0x2000, BRANCH_CONDITIONAL, 0x1f00);
        struct branch back = branch_at(0x3000, BRANCH_RETURN, 0);
        struct branch wrong_call = branch_at(0x4000, BRANCH_CALL, 0x5000);
        struct prediction pj, p1, p2, p3;

        board_init(&b, cases[i].settings);
        bpred_warm(b.bpred, &call, true, 0x2000);
        bpred_predict(b.bpred, &jump, &pj);
        assert_false(pj.taken);
        // On the wrong path the return address is popped and another one takes its place.
        bpred_predict(b.bpred, &back, &p1);
        assert_int_equal(p1.target, 0x1004);
        bpred_predict(b.bpred, &wrong_call, &p2);
        assert_true(bpred_resolve(b.bpred, &jump, &pj, true, 0x1f00));
        bpred_squash(b.bpred, &p1);
        bpred_squash(b.bpred, &p2);
        bpred_predict(b.bpred, &back, &p3);
        assert_int_equal(p3.target_known && p3.target == 0x1004, cases[i].right);
        board_release(&b);
    }
}

#define FOR_ALL(test)                                                        \
    cmocka_unit_test_prestate(test, (void *)"direction=static"),             \
        cmocka_unit_test_prestate(test, (void *)"direction=bimodal"),        \
        cmocka_unit_test_prestate(test, (void *)"direction=gshare"),         \
        cmocka_unit_test_prestate(test, (void *)"direction=tournament"),     \
        cmocka_unit_test_prestate(test, (void *)"direction=perceptron"),     \
        cmocka_unit_test_prestate(test, (void *)"direction=tage"),           \
        cmocka_unit_test_prestate(test, (void *)"direction=tage loop=true"), \
        cmocka_unit_test_prestate(test, (void *)"direction=tage_sc_l_8k"),   \
        cmocka_unit_test_prestate(test, (void *)"direction=tage_sc_l_64k")

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOR_ALL(wrong_paths_and_flushes_leave_no_trace),
        FOR_ALL(a_restored_predictor_goes_on_as_the_saved_one),
        FOR_ALL(warming_is_predicting_and_committing_at_once),
        FOR_ALL(a_hostile_state_breaks_nothing),
        cmocka_unit_test(repairing_the_top_is_enough_for_one_wrong_return),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
