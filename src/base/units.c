// SPDX-License-Identifier: BSD-3-Clause
#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct suffix {
    const char *text;
    u64 scale;
};

// Per unit: the suffixes, largest last; the first is the base unit.
static const struct suffix none[] = {{"", 1}, {"k", 1000}, {"M", 1000000}, {"G", 1000000000}, {0}};
static const struct suffix bytes[] = {{"B", 1},        {"KiB", KiB(1)},    {"MiB", MiB(1)},
                                      {"GiB", GiB(1)}, {"TiB", GiB(1024)}, {0}};
static const struct suffix hertz[] = {
    {"Hz", 1}, {"kHz", 1000}, {"MHz", 1000000}, {"GHz", 1000000000}, {0}};
static const struct suffix time[] = {
    {"ps", 1}, {"ns", 1000}, {"us", 1000000}, {"ms", 1000000000}, {"s", TICKS_PER_SECOND}, {0}};

static const struct {
    const char *noun, *examples;
    const struct suffix *suffixes;
} units[] = {
    [UNIT_NONE] = {"number", "12, 0x40, 1_000_000, 2k, 3M", none},
    [UNIT_BYTES] = {"size", "64B, 32KiB, 1.5MiB, 4GiB", bytes},
    [UNIT_HERTZ] = {"frequency", "100MHz, 2.4GHz", hertz},
    [UNIT_TIME] = {"time", "500ps, 15ns, 1.5us, 1ms, 2s", time},
};

static bool bad(const char *text, enum unit unit, struct error *err)
{
    return error_set(err, ERROR_INPUT, "'%.60s' is no %s (such as %s)", text, units[unit].noun,
                     units[unit].examples);
}

static bool too_large(const char *text, struct error *err)
{
    return error_set(err, ERROR_INPUT, "'%.60s' is too large", text);
}

static bool parse_hex(const char *text, enum unit unit, u64 *ret_value, struct error *err)
{
    u64 v = 0;
    unsigned digits = 0;

    for (const char *p = text + 2; *p; p++) {
        static const char set[] = "0123456789abcdef";
        const char *d;

        if (*p == '_')
            continue;
        d = strchr(set, *p >= 'A' && *p <= 'F' ? *p - 'A' + 'a' : *p);
        if (!d)
            return bad(text, unit, err);
        if (v >> 60)
            return too_large(text, err);
        v = v << 4 | (u64)(d - set);
        digits++;
    }
    if (!digits)
        return bad(text, unit, err);
    *ret_value = v;
    return true;
}

// Digits before and after the point as one integer, and ten to the number of those after it.
static const char *parse_decimal(const char *p, u128 *ret_digits, u64 *ret_scale, bool *ret_fits)
{
    u128 v = 0;
    u64 scale = 1;
    bool point = false, fits = true;
    unsigned digits = 0;

    for (;; p++) {
        if (*p == '_' && digits)
            continue;
        if (*p == '.' && digits && !point) {
            point = true;
            continue;
        }
        if (*p < '0' || *p > '9')
            break;
        digits++;
        if (v >> 100 || (point && scale >= TICKS_PER_SECOND * 1000000))
            fits = false;
        if (!fits)
            continue;
        v = v * 10 + (unsigned)(*p - '0');
        if (point)
            scale *= 10;
    }
    *ret_digits = v;
    *ret_scale = scale;
    *ret_fits = fits;
    return digits ? p : NULL;
}

bool unit_parse(const char *text, enum unit unit, u64 *ret_value, struct error *err)
{
    const struct suffix *s = units[unit].suffixes;
    const char *p;
    u128 digits, value;
    u64 scale;
    bool fits;

    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X') && unit <= UNIT_BYTES)
        return parse_hex(text, unit, ret_value, err);
    p = parse_decimal(text, &digits, &scale, &fits);
    if (!p)
        return bad(text, unit, err);
    if (!fits)
        return too_large(text, err);
    while (*p == ' ')
        p++;
    if (unit == UNIT_BYTES && *p && strlen(p) == 2 && strchr("kKMGT", *p) && p[1] == 'B')
        return error_set(err, ERROR_INPUT,
                         "'%.60s' is ambiguous: write %ciB for a power of 1024, or plain bytes",
                         text, *p == 'k' ? 'K' : *p);
    // A bare number of bytes needs no suffix, nor does zero of anything.
    if (*p || (unit > UNIT_BYTES && digits)) {
        while (s->text && strcmp(p, s->text) != 0)
            s++;
    }
    if (!s->text)
        return bad(text, unit, err);
    if (digits > (~(u128)0) / s->scale)
        return too_large(text, err);
    value = digits * s->scale;
    if (value % scale)
        return error_set(err, ERROR_INPUT, "'%.60s' is not a whole number of %s", text,
                         unit == UNIT_NONE ? "units" : units[unit].suffixes[0].text);
    value /= scale;
    if (value > ~(u64)0)
        return too_large(text, err);
    *ret_value = (u64)value;
    return true;
}

void unit_format(u64 value, enum unit unit, char text[40])
{
    const struct suffix *s = units[unit].suffixes, *best = s;
    unsigned decimals = 0;

    if (unit == UNIT_NONE || value == 0) {
        snprintf(text, 40, "%" PRIu64 "%s", value, units[unit].suffixes[0].text);
        return;
    }
    for (; s->text; s++)
        if (value >= s->scale &&
            (value % s->scale == 0 || (unit != UNIT_BYTES && value % (s->scale / 1000) == 0)))
            best = s;
    if (value % best->scale == 0) {
        snprintf(text, 40, "%" PRIu64 "%s", value / best->scale, best->text);
        return;
    }
    for (u64 rest = value % best->scale, part = best->scale; rest; decimals++) {
        part /= 10;
        rest %= part;
    }
    snprintf(text, 40, "%" PRIu64 ".%0*" PRIu64 "%s", value / best->scale, (int)decimals,
             value % best->scale /
                 (decimals == 1   ? best->scale / 10
                  : decimals == 2 ? best->scale / 100
                                  : best->scale / 1000),
             best->text);
}
