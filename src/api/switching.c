// SPDX-License-Identifier: BSD-3-Clause
#include "api/switching.h"

#include "api/settings.h"
#include "base/alloc.h"
#include "base/names.h"
#include "base/rng.h"
#include "base/units.h"
#include "machine/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool kind_of(const char *name, size_t length, u32 *ret, struct error *err)
{
    char text[32];
    struct names_nearest near = {.word = text};

    snprintf(text, sizeof(text), "%.*s", (int)MIN(length, sizeof(text) - 1), name);
    for (u32 i = 0; model_names[i]; i++) {
        if (strcmp(model_names[i], text) == 0) {
            *ret = i;
            return true;
        }
        names_offer(&near, model_names[i]);
    }
    return error_set(err, ERROR_INPUT, "there is no CPU model '%s'%s%s%s", text,
                     near.best ? "; did you mean '" : "", near.best ? near.best : "",
                     near.best ? "'?" : "");
}

bool switching_amount(const char *text, enum switch_at *ret_at, u64 *ret, struct error *err)
{
    static const char suffix[] = "insts";
    size_t length = strlen(text);
    AUTO_FREE char *number = xstrdup(text);

    if (length > strlen(suffix) && strcmp(text + length - strlen(suffix), suffix) == 0) {
        number[length - strlen(suffix)] = 0;
        *ret_at = SWITCH_AT_INSTS;
        return unit_parse(number, UNIT_NONE, ret, err);
    }
    *ret_at = SWITCH_AT_TIME;
    return unit_parse(text, UNIT_TIME, ret, err);
}

// "timing@1ms", "o3@roi", "cpu1:o3@100kinsts", "timing@operation".
static bool read_step(struct switching *s, char *text, struct error *err)
{
    struct switch_step step = {.core = ~0u};
    char *at = strchr(text, '@'), *colon = strchr(text, ':');
    char *end;

    if (!at)
        return error_set(err, ERROR_INPUT, "'%s' is not MODEL@WHEN", text);
    if (colon && colon < at) {
        step.core = strncmp(text, "cpu", 3) == 0 ? (u32)strtoul(text + 3, &end, 10) : 0;
        if (strncmp(text, "cpu", 3) != 0 || end != colon || end == text + 3)
            return error_set(err, ERROR_INPUT, "'%s': what stands before ':' is a core, as cpu1",
                             text);
        text = colon + 1;
    }
    if (!kind_of(text, (size_t)(at - text), &step.kind, err))
        return false;
    if (strcmp(at + 1, "roi") == 0)
        step.at = SWITCH_AT_ROI;
    else if (strcmp(at + 1, "operation") == 0)
        step.at = SWITCH_AT_OPERATION;
    else if (!switching_amount(at + 1, &step.at, &step.number, err))
        return error_wrap(err, "the time of '%s'", text);
    VEC_PUSH(&s->steps, step);
    return true;
}

static bool read_steps(struct switching *s, const char *list, struct error *err)
{
    AUTO_FREE char *copy = xstrdup(list);
    char *state, *item;

    for (item = strtok_r(copy, ",", &state); item; item = strtok_r(NULL, ",", &state))
        if (!read_step(s, item, err))
            return error_wrap(err, "switch");
    return true;
}

static bool read_among(struct switching *s, const char *list, struct error *err)
{
    AUTO_FREE char *copy = xstrdup(list);
    char *state, *item;
    u32 kind;

    for (item = strtok_r(copy, ",", &state); item; item = strtok_r(NULL, ",", &state)) {
        if (!kind_of(item, strlen(item), &kind, err))
            return error_wrap(err, "switch_among");
        s->among |= 1u << kind;
    }
    if (!(s->among & (s->among - 1)))
        return error_set(err, ERROR_INPUT, "switch_among: at least two models, with ',' between");
    return true;
}

bool switching_init(struct switching *s, const struct settings *settings, struct error *err)
{
    *s = (struct switching){.rng = {settings->seed}};
    if (!read_steps(s, settings->switch_at, err) || !read_among(s, settings->switch_among, err))
        return false;
    if (!settings->switch_every[0])
        return true;
    if (!switching_amount(settings->switch_every, &s->every, &s->period, err))
        return error_wrap(err, "switch_every");
    return s->period || error_set(err, ERROR_INPUT, "switch_every: that is no time at all");
}

void switching_release(struct switching *s)
{
    VEC_RELEASE(&s->steps);
}

bool switching_check(const struct switching *s, u32 cores, struct error *err)
{
    for (size_t i = 0; i < s->steps.count; i++)
        if (s->steps.items[i].core != ~0u && s->steps.items[i].core >= cores)
            return error_set(err, ERROR_INPUT, "switch: there is no cpu%u: the machine has %u",
                             (unsigned)s->steps.items[i].core, (unsigned)cores);
    return true;
}

void switching_begin(struct switching *s, u64 insts, tick now)
{
    for (size_t i = 0; i < s->steps.count; i++) {
        struct switch_step *step = &s->steps.items[i];

        if ((step->at == SWITCH_AT_INSTS && step->number < insts) ||
            (step->at == SWITCH_AT_TIME && step->number < now))
            step->done = true;
    }
    s->next = (s->every == SWITCH_AT_INSTS ? insts : now) + s->period;
}

void switching_next(const struct switching *s, u64 *ret_insts, tick *ret_when)
{
    *ret_insts = *ret_when = ~(u64)0;
    for (size_t i = 0; i < s->steps.count; i++) {
        const struct switch_step *step = &s->steps.items[i];

        if (!step->done && step->at == SWITCH_AT_INSTS)
            *ret_insts = MIN(*ret_insts, step->number);
        if (!step->done && step->at == SWITCH_AT_TIME)
            *ret_when = MIN(*ret_when, step->number);
    }
    if (s->period && s->every == SWITCH_AT_INSTS)
        *ret_insts = MIN(*ret_insts, s->next);
    if (s->period && s->every == SWITCH_AT_TIME)
        *ret_when = MIN(*ret_when, s->next);
}

static bool take(struct switch_step *step, u32 *ret_kind, u32 *ret_core)
{
    step->done = true;
    *ret_kind = step->kind;
    *ret_core = step->core;
    return true;
}

// Any of the models but the current one.
static u32 other(struct switching *s, u32 current)
{
    u32 mask = s->among & ~(1u << current), skip;

    if (!mask)
        return current;
    skip = (u32)rng_below(&s->rng, (u32)__builtin_popcount(mask));
    while (skip--)
        mask &= mask - 1;
    return (u32)__builtin_ctz(mask);
}

bool switching_due(struct switching *s, u64 insts, tick now, u32 current, u32 *ret_kind,
                   u32 *ret_core)
{
    for (size_t i = 0; i < s->steps.count; i++) {
        struct switch_step *step = &s->steps.items[i];

        if (!step->done && ((step->at == SWITCH_AT_INSTS && step->number <= insts) ||
                            (step->at == SWITCH_AT_TIME && step->number <= now)))
            return take(step, ret_kind, ret_core);
    }
    if (!s->period || s->next > (s->every == SWITCH_AT_INSTS ? insts : now))
        return false;
    s->next = (s->every == SWITCH_AT_INSTS ? insts : now) + s->period;
    *ret_kind = other(s, current);
    *ret_core = ~0u;
    return true;
}

bool switching_event(struct switching *s, enum switch_at at, u32 current, u32 *ret_kind,
                     u32 *ret_core)
{
    for (size_t i = 0; i < s->steps.count; i++)
        if (!s->steps.items[i].done && s->steps.items[i].at == at)
            return take(&s->steps.items[i], ret_kind, ret_core);
    if (at != SWITCH_AT_OPERATION)
        return false;
    *ret_kind = other(s, current);
    *ret_core = ~0u;
    return *ret_kind != current;
}
