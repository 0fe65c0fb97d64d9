// SPDX-License-Identifier: BSD-3-Clause
// What every checkpoint must do, whatever the components are (STYLE.md section 8).
#include "base/alloc.h"
#include "base/file.h"
#include "checkpoint_help.h"
#include "mem/ram.h"
#include "sample_machine.h"
#include "sim/checkpoint.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

// Garbage wherever a load has to put something.
static void fill(struct sample_machine *m)
{
    for (struct component *c = m->sim.root; c; c = c->next) {
        u8 *at = component_state(c);

        memset(component_stats(c), 0xa5, stat_words(c->type->stats) * sizeof(u64));
        for (const struct state_field *f = c->type->state; f->name; at += f->size, f++) {
            u64 count;
            void *data;

            if (f->shape == STATE_VECTOR) {
                memcpy(&count, at, sizeof(count));
                memcpy(&data, at + sizeof(count), sizeof(data));
                memset(data, 0xa5, count * state_kind_size(f->kind));
            } else if (f->shape != STATE_EVENT) {
                memset(at, 0xa5, f->size);
            }
        }
    }
    memset(ram_bytes(m->ram), 0xa5, ram_size(m->ram));
}

static void random_machines_survive_save_and_load(void **arg)
{
    struct rng rng = {17};

    for (unsigned round = 0; round < 6; round++) {
        AUTO_FREE char *one = scratch("one"), *two = scratch("two");
        struct sample_machine a, b;
        struct error err;

        sample_machine_init(&a, 1, "1MiB");
        a.sim.queue.now = rng_next(&rng) >> 8;
        sample_machine_randomise(&a, &rng);
        must(checkpoint_save(&a.sim, one, NULL, &err), &err);
        must(checkpoint_verify(one, &err), &err);
        sample_machine_init(&b, 1, "1MiB");
        fill(&b);
        must(checkpoint_load(&b.sim, one, NULL, &err), &err);
        assert_int_equal(sample_machine_hash(&a), sample_machine_hash(&b));
        must(checkpoint_save(&b.sim, two, NULL, &err), &err);
        assert_same_files(one, two);
        must(file_remove_tree(one, &err) && file_remove_tree(two, &err), &err);
        sim_release(&a.sim);
        sim_release(&b.sim);
    }
}

static void a_restored_machine_goes_on_as_the_first_does(void **arg)
{
    struct rng rng = {23};

    for (unsigned round = 0; round < 8; round++) {
        AUTO_FREE char *path = scratch("middle");
        struct drain_request drain = {.why = "checkpoint"};
        struct sample_machine a, b;
        struct error err;

        sample_machine_init(&a, round, "128KiB");
        for (u64 n = rng_below(&rng, 3000); n; n--)
            sample_machine_step(&a);
        if (round & 1)
            must(drain_now(&a.sim.drain, &drain, &err), &err);
        must(checkpoint_save(&a.sim, path, NULL, &err), &err);
        if (round & 1)
            drain_resume(&a.sim.drain);
        sample_machine_init(&b, 0, "128KiB");
        must(checkpoint_load(&b.sim, path, NULL, &err), &err);
        b.guest = a.guest;
        assert_int_equal(sample_machine_hash(&a), sample_machine_hash(&b));
        for (unsigned n = 0; n < 3000; n++) {
            sample_machine_step(&a);
            sample_machine_step(&b);
        }
        assert_int_equal(sample_machine_hash(&a), sample_machine_hash(&b));
        assert_int_equal(a.sim.queue.fired, b.sim.queue.fired);
        must(file_remove_tree(path, &err), &err);
        sim_release(&a.sim);
        sim_release(&b.sim);
    }
}

// All that a run leaves behind: state, memory, statistics, time, events.
static char *account_of(const struct sample_machine *m)
{
    return xasprintf("%llx %llx %llx %llx", (unsigned long long)sample_machine_hash(m),
                     (unsigned long long)m->sim.queue.now,
                     (unsigned long long)m->sim.queue.next_sequence,
                     (unsigned long long)m->sim.queue.fired);
}

enum { STEPS = 4000 };

// What the new process does: loads, goes on, says where it arrived.
static int go_on(const char *path, const char *guest, const char *steps, const char *result)
{
    AUTO_FREE char *account = NULL;
    struct sample_machine m;
    struct error err;

    sample_machine_init(&m, 0, "2MiB");
    must(checkpoint_load(&m.sim, path, NULL, &err), &err);
    m.guest.state = strtoull(guest, NULL, 16);
    for (u64 n = strtoull(steps, NULL, 10); n; n--)
        sample_machine_step(&m);
    account = account_of(&m);
    sim_release(&m.sim);
    return file_write(result, account, strlen(account), &err) ? 0 : 1;
}

static void a_new_process_ends_where_the_first_one_does(void **arg)
{
    AUTO_FREE char *result = scratch("result");
    struct rng rng = {77};

    for (unsigned round = 0; round < 4; round++) {
        AUTO_FREE char *path = scratch("middle"), *account = NULL, *steps = NULL, *guest = NULL;
        AUTO(strbuf) struct strbuf other = {0};
        u64 before = rng_below(&rng, STEPS);
        struct sample_machine m;
        struct error err;
        int status;
        pid_t child;

        sample_machine_init(&m, round, "2MiB");
        for (u64 n = 0; n < before; n++)
            sample_machine_step(&m);
        must(checkpoint_save(&m.sim, path, NULL, &err), &err);
        guest = xasprintf("%llx", (unsigned long long)m.guest.state);
        steps = xasprintf("%llu", (unsigned long long)(STEPS - before));
        child = fork();
        if (child == 0) {
            execl("/proc/self/exe", "test", "--go-on", path, guest, steps, result, NULL);
            _exit(1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        for (u64 n = before; n < STEPS; n++)
            sample_machine_step(&m);
        account = account_of(&m);
        must(file_read(result, 1000, &other, &err), &err);
        assert_string_equal(strbuf_text(&other), account);
        must_remove(path);
        must_remove(result);
        sim_release(&m.sim);
    }
}

// Whatever single byte changes or is cut off, anywhere: refused, with the path in the message.
static void damaged_checkpoints_are_refused(void **arg)
{
    AUTO_FREE char *path = scratch("damaged");
    struct sample_machine m;
    struct rng rng = {31};
    struct error err;

    sample_machine_init(&m, 3, "256KiB");
    for (unsigned n = 0; n < 500; n++)
        sample_machine_step(&m);
    must(checkpoint_save(&m.sim, path, NULL, &err), &err);
    for (size_t i = 0; i < CHECKPOINT_PARTS; i++) {
        AUTO_FREE char *part = xasprintf("%s/%s", path, checkpoint_parts[i]);
        AUTO(strbuf) struct strbuf good = {0};

        must(file_read(part, 1 << 30, &good, &err), &err);
        assert_true(good.length > 60);
        for (unsigned k = 0; k < 60; k++) {
            AUTO(strbuf) struct strbuf bad = {0};
            size_t at = rng_below(&rng, good.length);

            strbuf_add(&bad, good.text, k % 3 == 2 ? at : good.length);
            if (k % 3 == 0)
                bad.text[at] ^= (char)(1 << rng_below(&rng, 8));
            else if (k % 3 == 1)
                strbuf_add(&bad, "0", 1 + (k & 1));
            must(file_write(part, strbuf_text(&bad), bad.length, &err), &err);
            if (checkpoint_verify(path, &err))
                fail_msg("%s: damage at %zu of %zu is not seen", checkpoint_parts[i], at,
                         good.length);
            assert_non_null(strstr(err.message, "cannot use checkpoint '"));
            assert_false(checkpoint_load(&m.sim, path, NULL, &err));
            assert_int_equal(err.code, ERROR_INPUT);
        }
        assert_int_equal(remove(part), 0);
        assert_false(checkpoint_verify(path, &err));
        must(file_write(part, good.text, good.length, &err), &err);
        must(checkpoint_verify(path, &err), &err);
    }
    must(file_remove_tree(path, &err), &err);
    sim_release(&m.sim);
}

static void foreign_checkpoints_are_refused(void **arg)
{
    AUTO_FREE char *path = scratch("foreign");
    struct checkpoint_options mine = {.config_digest = "aaa"}, other = {.config_digest = "bbb"};
    struct sample_machine m, small;
    struct sim sim;
    struct error err;

    sample_machine_init(&m, 3, "256KiB");
    must(checkpoint_save(&m.sim, path, &mine, &err), &err);
    assert_false(checkpoint_load(&m.sim, path, &other, &err));
    assert_non_null(strstr(err.message, "another description"));
    assert_true(checkpoint_load(&m.sim, path, &mine, &err));
    assert_false(checkpoint_save(&m.sim, path, &mine, &err));
    assert_non_null(strstr(err.message, "exists already"));

    sample_machine_init(&small, 3, "128KiB");
    assert_false(checkpoint_load(&small.sim, path, NULL, &err));
    assert_non_null(strstr(err.message, "'map.ram' has 262144 bytes instead of 131072"));

    sim_init(&sim);
    assert_non_null(component_new(&sim, &ram_type, NULL, "map", &err));
    must(sim_build(&sim, &err), &err);
    sim_reset(&sim);
    assert_false(checkpoint_load(&sim, path, NULL, &err));
    assert_non_null(strstr(err.message, "its 'map' is a physmap instead of a ram"));
    assert_false(checkpoint_verify("/nonexistent", &err));
    assert_false(checkpoint_verify("/tmp", &err));
    assert_false(checkpoint_save(&sim, "/nonexistent/x", NULL, &err));
    must(file_remove_tree(path, &err), &err);
    sim_release(&m.sim);
    sim_release(&small.sim);
    sim_release(&sim);
}

// A host that takes no more than so many bytes a file: the save fails and leaves nothing, or is
// whole.
static void a_full_disk_leaves_nothing_behind(void **arg)
{
    AUTO_FREE char *path = scratch("full");
    struct rlimit old, limit;
    struct sample_machine m;
    struct rng rng = {3};
    struct error err;
    unsigned failures = 0;
    bool saved = false;

    sample_machine_init(&m, 3, "256KiB");
    sample_machine_randomise(&m, &rng);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    for (limit.rlim_cur = 0; !saved; limit.rlim_cur += 1 + limit.rlim_cur / 2) {
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        saved = checkpoint_save(&m.sim, path, NULL, &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        failures += !saved;
        assert_int_equal(scratch_entries(), saved);
        if (!saved)
            assert_non_null(strstr(err.message, "cannot save checkpoint '"));
    }
    assert_true(failures > 10);
    must(checkpoint_verify(path, &err), &err);
    must(file_remove_tree(path, &err), &err);
    sim_release(&m.sim);
}

static void nobody(void *owner, struct event *event)
{
}

static void an_event_that_nobody_saves_is_noticed(void **arg)
{
    AUTO_FREE char *path = scratch("event");
    struct sample_machine m;
    struct event stray;
    struct error err;

    sample_machine_init(&m, 3, "64KiB");
    event_init(&stray, &m.sim.queue, "stray", nobody, NULL);
    event_schedule_in(&stray, 5);
    assert_false(checkpoint_save(&m.sim, path, NULL, &err));
    assert_non_null(strstr(err.message, "1 pending events belong to no component's state"));
    assert_int_equal(scratch_entries(), 0);
    event_cancel(&stray);
    must(checkpoint_save(&m.sim, path, NULL, &err), &err);
    must(file_remove_tree(path, &err), &err);
    sim_release(&m.sim);
}

static void zero_and_equal_memory_costs_nothing(void **arg)
{
    AUTO_FREE char *path = scratch("sparse"), *pack = xasprintf("%s/memory.pack", path);
    struct sample_machine m;
    struct rng rng = {5};
    struct stat st;
    struct error err;

    sample_machine_init(&m, 3, "64MiB");
    for (unsigned k = 0; k < 65536; k++)
        ram_bytes(m.ram)[k] = (u8)rng_next(&rng);
    for (unsigned i = 1; i < 500; i++)
        memcpy(ram_bytes(m.ram) + i * 65536, ram_bytes(m.ram), 65536);
    must(checkpoint_save(&m.sim, path, NULL, &err), &err);
    assert_int_equal(stat(pack, &st), 0);
    assert_in_range(st.st_size, 60000, 70000);
    must(file_remove_tree(path, &err), &err);
    sim_release(&m.sim);
}

static void shared_memory_is_saved_without_filling_its_holes(void **arg)
{
    AUTO_FREE char *path = scratch("holes");
    struct component *ram[2];
    struct sim sim[2];
    struct stat st;
    struct error err;

    for (unsigned i = 0; i < 2; i++) {
        sim_init(&sim[i]);
        ram[i] = component_new(&sim[i], &ram_type, NULL, "ram", &err);
        must(component_set(ram[i], "size", "1GiB", &err), &err);
        must(component_set(ram[i], "backing", "memfd", &err), &err);
        must(sim_build(&sim[i], &err), &err);
        sim_reset(&sim[i]);
    }
    for (u64 at = 0; at < GiB(1); at += MiB(100))
        ram_bytes(ram[0])[at + 5] = (u8)(at >> 20 | 1);
    ram_bytes(ram[0])[GiB(1) - 1] = 9;
    must(checkpoint_save(&sim[0], path, NULL, &err), &err);
    must(checkpoint_load(&sim[1], path, NULL, &err), &err);
    for (u64 at = 0; at < GiB(1); at += MiB(100))
        assert_int_equal(ram_bytes(ram[1])[at + 5], (u8)(at >> 20 | 1));
    assert_int_equal(ram_bytes(ram[1])[GiB(1) - 1], 9);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(fstat(ram_fd(ram[i]), &st), 0);
        // Eleven places, a huge page each at most.
        assert_in_range(st.st_blocks * 512, 1, 12 * MiB(2));
        sim_release(&sim[i]);
    }
    must(file_remove_tree(path, &err), &err);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_machines_survive_save_and_load),
        cmocka_unit_test(a_restored_machine_goes_on_as_the_first_does),
        cmocka_unit_test(a_new_process_ends_where_the_first_one_does),
        cmocka_unit_test(damaged_checkpoints_are_refused),
        cmocka_unit_test(foreign_checkpoints_are_refused),
        cmocka_unit_test(a_full_disk_leaves_nothing_behind),
        cmocka_unit_test(an_event_that_nobody_saves_is_noticed),
        cmocka_unit_test(zero_and_equal_memory_costs_nothing),
        cmocka_unit_test(shared_memory_is_saved_without_filling_its_holes),
    };
    struct error err;

    if (!log_set_filter("error", &err))
        return 1;
    if (argc == 6 && strcmp(argv[1], "--go-on") == 0)
        return go_on(argv[2], argv[3], argv[4], argv[5]);
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
