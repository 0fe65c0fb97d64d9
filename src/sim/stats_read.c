// SPDX-License-Identifier: BSD-3-Clause
#include "sim/stats_read.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/strbuf.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX_BYTES = 1 << 30 };

void stat_values_release(struct stat_values *v)
{
    for (size_t i = 0; i < v->count; i++)
        free(v->items[i].name);
    VEC_RELEASE(v);
}

// "latency::8-15" becomes "latency::8".
static void add(struct stat_values *v, const char *name, double value)
{
    struct stat_value item = {.name = xstrdup(name), .value = value};
    char *part = strstr(item.name, "::");
    size_t digits = part ? strspn(part + 2, "0123456789") : 0;

    if (digits && part[2 + digits] == '-')
        part[2 + digits] = 0;
    VEC_PUSH(v, item);
}

static double number_of(const char *text)
{
    char *end;
    double value = strtod(text, &end);

    return end == text ? (double)NAN : value;
}

// ---- text

static void read_text(struct stat_values *v, char *text)
{
    char *state, *inner;

    v->rounded = true;
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        const char *name, *value;

        if (strncmp(line, "---------- Begin", 16) == 0)
            stat_values_release(v);
        if (strncmp(line, "-----", 5) == 0)
            continue;
        name = strtok_r(line, " ", &inner);
        value = name ? strtok_r(NULL, " ", &inner) : NULL;
        if (value)
            add(v, name, number_of(value));
    }
}

// ---- CSV: a field may have quotes; those of names and numbers have no quote inside

static char *field(char **at)
{
    char *start = *at, *end;

    if (!start)
        return NULL;
    if (*start == '"') {
        end = strchr(++start, '"');
        *at = end && end[1] == ',' ? end + 2 : NULL;
    } else {
        end = strchr(start, ',');
        *at = end ? end + 1 : NULL;
    }
    if (end)
        *end = 0;
    return start;
}

static void read_csv(struct stat_values *v, char *text)
{
    char *state, *line = strtok_r(text, "\n", &state);

    while ((line = strtok_r(NULL, "\n", &state))) {
        const char *name = field(&line), *value = field(&line);

        if (value)
            add(v, name, number_of(value));
    }
}

// The row "total", the last one.
static void read_series(struct stat_values *v, char *text)
{
    char *names = text, *row = strstr(text, "\ntotal,");

    names[strcspn(names, "\n")] = 0;
    if (!row)
        return;
    row++;
    row[strcspn(row, "\n")] = 0;
    for (u32 i = 0; names && row; i++) {
        const char *name = field(&names), *value = field(&row);

        if (i >= 5) // behind those that say which interval it is
            add(v, name, number_of(value));
    }
}

// ---- JSON

static double json_number(const json_t *value)
{
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static void put(struct stat_values *v, const char *stem, const char *separator, const char *part,
                double value)
{
    AUTO(strbuf) struct strbuf name = {0};

    strbuf_printf(&name, "%s%s%s", stem, separator, part);
    add(v, strbuf_text(&name), value);
}

static void read_buckets(struct stat_values *v, const char *stem, const json_t *buckets)
{
    size_t count = json_array_size(buckets);

    for (size_t i = 0; i < count; i++) {
        const json_t *pair = json_array_get(buckets, i);
        AUTO(strbuf) struct strbuf first = {0};

        if (i + 1 == count)
            strbuf_puts(&first, "overflows");
        else
            strbuf_printf(&first, "%lld", (long long)json_integer_value(json_array_get(pair, 0)));
        put(v, stem, "::", strbuf_text(&first), json_number(json_array_get(pair, 1)));
    }
}

static void read_parts(struct stat_values *v, const char *stem, json_t *parts)
{
    bool histogram = json_object_get(parts, "buckets");
    const char *key;
    json_t *value;

    json_object_foreach(parts, key, value)
    {
        if (histogram && strcmp(key, "sum") == 0)
            continue; // the other formats have it as the mean
        if (json_is_array(value))
            read_buckets(v, stem, value);
        else
            put(v, stem, "::", key, json_number(value));
        if (histogram && strcmp(key, "samples") == 0)
            put(v, stem, "::", "total", json_number(value));
    }
}

static void read_component(struct stat_values *v, const char *path, json_t *rows)
{
    const char *key;
    json_t *value;

    json_object_foreach(rows, key, value)
    {
        AUTO(strbuf) struct strbuf stem = {0};

        strbuf_printf(&stem, "%s.%s", path, key);
        if (json_is_object(value))
            read_parts(v, strbuf_text(&stem), value);
        else
            add(v, strbuf_text(&stem), json_number(value));
    }
}

static bool read_json(struct stat_values *v, const struct strbuf *text, const char *path,
                      struct error *err)
{
    json_t *document = json_parse(text->text, text->length, path, err), *stats, *value;
    const char *key;

    if (!document)
        return false;
    stats = json_object_get(document, "stats");
    json_object_foreach(stats, key, value)
    {
        if (json_is_object(value))
            read_component(v, key, value);
        else
            add(v, key, json_number(value));
    }
    json_decref(document);
    return true;
}

bool stat_values_read(struct stat_values *ret, const char *path, struct error *err)
{
    AUTO(strbuf) struct strbuf text = {0};
    const char *dot = strrchr(path, '.');
    bool good = true;

    *ret = (struct stat_values){0};
    if (!file_read(path, FILE_MAX_BYTES, &text, err))
        return error_wrap(err, "statistics");
    (void)strbuf_text(&text);
    if (text.length && dot && strcmp(dot, ".json") == 0)
        good = read_json(ret, &text, path, err);
    else if (text.length && dot && strcmp(dot, ".csv") == 0)
        strncmp(text.text, "interval,", 9) == 0 ? read_series(ret, text.text)
                                                : read_csv(ret, text.text);
    else if (text.length && dot && strcmp(dot, ".txt") == 0)
        read_text(ret, text.text);
    if (good && !ret->count)
        good = error_set(err, ERROR_INPUT, "'%s' is no statistics file (.txt, .json, .csv)", path);
    if (!good)
        stat_values_release(ret);
    return good;
}
