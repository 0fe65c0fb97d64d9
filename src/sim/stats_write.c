// SPDX-License-Identifier: BSD-3-Clause
// The statistics writers: text in the layout of gem5's stats.txt (which its users' scripts parse),
// JSON as a tree of the paths, CSV of one line a value.
#include "base/bug.h"
#include "base/json.h"
#include "sim/stats_visit.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

struct visit {
    stat_line_fn *fn;
    void *context;
    struct strbuf name;
    size_t stem; // length of "path.row"
    struct stat_line line;
};

static void emit(struct visit *v, const char *part)
{
    v->name.length = v->stem;
    v->name.text[v->stem] = '\0';
    if (part)
        strbuf_printf(&v->name, "::%s", part);
    v->line.name = v->name.text;
    v->fn(v->context, &v->line);
}

static void emit_number(struct visit *v, const char *part, u64 number)
{
    v->line.is_real = false;
    v->line.number = number;
    v->line.share = -1;
    emit(v, part);
}

static void emit_real(struct visit *v, const char *part, double real)
{
    v->line.is_real = true;
    v->line.real = real;
    v->line.share = -1;
    emit(v, part);
}

static void emit_part(struct visit *v, const char *part, u64 number, u64 total, u64 *sum)
{
    *sum += number;
    v->line.is_real = false;
    v->line.number = number;
    v->line.share = total ? (double)number / (double)total : (double)NAN;
    v->line.cumulative = total ? (double)*sum / (double)total : (double)NAN;
    emit(v, part);
}

static void visit_vector(struct visit *v, const struct stat_field *f, const u64 *words)
{
    u64 total = stat_vector_total(f, words), sum = 0;

    for (u32 k = 0; k < f->words; k++) {
        char index[16];

        snprintf(index, sizeof(index), "%" PRIu32, k);
        emit_part(v, f->names && f->names[k] ? f->names[k] : index, words[k], total, &sum);
    }
    emit_number(v, "total", total);
}

static void visit_histogram(struct visit *v, const struct stat_field *f, const u64 *words)
{
    u32 buckets = f->words - STAT_HISTOGRAM_HEAD;
    u64 sum = 0;

    emit_number(v, "samples", words[0]);
    emit_real(v, "mean", stat_histogram_mean(words));
    emit_real(v, "stdev", stat_histogram_stdev(words));
    for (u32 k = 0; k < buckets; k++) {
        u64 first, last;
        char range[48];

        stat_histogram_range(f, k, &first, &last);
        if (k + 1 == buckets)
            snprintf(range, sizeof(range), "overflows");
        else if (first == last)
            snprintf(range, sizeof(range), "%" PRIu64, first);
        else
            snprintf(range, sizeof(range), "%" PRIu64 "-%" PRIu64, first, last);
        emit_part(v, range, words[STAT_HISTOGRAM_HEAD + k], words[0], &sum);
    }
    emit_number(v, "total", words[0]);
}

void stat_visit(const struct stat_set *set, const u64 *values, stat_line_fn *fn, void *context)
{
    struct visit v = {.fn = fn, .context = context};

    for (size_t i = 0; i < set->count; i++) {
        const struct stat_source *s = &set->items[i];
        const u64 *first = values;

        for (const struct stat_field *f = s->fields; f->name; values += f->words, f++) {
            strbuf_clear(&v.name);
            strbuf_printf(&v.name, s->path[0] ? "%s.%s" : "%s%s", s->path, f->name);
            v.stem = v.name.length;
            v.line.unit = f->unit;
            v.line.doc = f->doc;
            if (f->kind == STAT_VECTOR)
                visit_vector(&v, f, values);
            else if (f->kind == STAT_HISTOGRAM)
                visit_histogram(&v, f, values);
            else if (f->kind == STAT_RATIO)
                emit_real(&v, NULL, stat_ratio(s->fields, first, f));
            else
                emit_number(&v, NULL, values[0]);
        }
    }
    strbuf_release(&v.name);
}

static void text_line(void *context, const struct stat_line *l)
{
    struct strbuf *out = context;
    char value[40], share[16] = "", cumulative[16] = "";

    if (!l->is_real)
        snprintf(value, sizeof(value), "%" PRIu64, l->number);
    else if (isnan(l->real))
        snprintf(value, sizeof(value), "nan");
    else
        snprintf(value, sizeof(value), "%.6f", l->real);
    if (l->share >= 0) {
        snprintf(share, sizeof(share), "%.2f%%", l->share * 100);
        snprintf(cumulative, sizeof(cumulative), "%.2f%%", l->cumulative * 100);
    }
    strbuf_printf(out, "%-40s %12s %10s %10s # %s (%s)\n", l->name, value, share, cumulative,
                  l->doc, l->unit);
}

void stat_write_text(const struct stat_set *set, const u64 *values, struct strbuf *out)
{
    strbuf_puts(out, "\n---------- Begin Simulation Statistics ----------\n");
    stat_visit(set, values, text_line, out);
    strbuf_puts(out, "\n---------- End Simulation Statistics   ----------\n");
}

static void csv_field(struct strbuf *out, const char *text)
{
    if (!strpbrk(text, ",\"\n")) {
        strbuf_puts(out, text);
        return;
    }
    strbuf_putc(out, '"');
    for (; *text; text++) {
        if (*text == '"')
            strbuf_putc(out, '"');
        strbuf_putc(out, *text);
    }
    strbuf_putc(out, '"');
}

static void csv_value(struct strbuf *out, const struct stat_line *l)
{
    char text[32];

    if (!l->is_real) {
        strbuf_printf(out, "%" PRIu64, l->number);
    } else if (isfinite(l->real)) {
        json_format_f64(l->real, text);
        strbuf_puts(out, text);
    }
}

static void csv_line(void *context, const struct stat_line *l)
{
    struct strbuf *out = context;

    csv_field(out, l->name);
    strbuf_putc(out, ',');
    csv_value(out, l);
    strbuf_putc(out, ',');
    csv_field(out, l->unit);
    strbuf_putc(out, ',');
    csv_field(out, l->doc);
    strbuf_putc(out, '\n');
}

void stat_write_csv(const struct stat_set *set, const u64 *values, struct strbuf *out)
{
    strbuf_puts(out, "name,value,unit,description\n");
    stat_visit(set, values, csv_line, out);
}

static void series_name(void *context, const struct stat_line *l)
{
    strbuf_putc(context, ',');
    csv_field(context, l->name);
}

static void series_value(void *context, const struct stat_line *l)
{
    strbuf_putc(context, ',');
    csv_value(context, l);
}

void stat_write_series(const struct stat_set *set, const u64 *values,
                       const struct stat_records *records, struct strbuf *out)
{
    u64 number = 0;

    strbuf_puts(out, "interval,from_ticks,from_insts,ticks,insts");
    stat_visit(set, values, series_name, out);
    for (size_t i = 0; i < records->count; i++) {
        const struct stat_record *r = &records->items[i];

        if (!r->interval)
            continue;
        strbuf_printf(out, "\n%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, number++,
                      r->from_ticks, r->from_insts, r->ticks, r->insts);
        stat_visit(set, r->values, series_value, out);
    }
    strbuf_puts(out, "\ntotal,,,,");
    stat_visit(set, values, series_value, out);
    strbuf_putc(out, '\n');
}

static void json_vector(struct json_out *j, const struct stat_field *f, const u64 *words)
{
    json_put_object(j);
    for (u32 k = 0; k < f->words; k++) {
        char index[16];

        snprintf(index, sizeof(index), "%" PRIu32, k);
        json_put_key_u64(j, f->names && f->names[k] ? f->names[k] : index, words[k]);
    }
    json_put_key_u64(j, "total", stat_vector_total(f, words));
    json_put_end(j);
}

static void json_histogram(struct json_out *j, const struct stat_field *f, const u64 *words)
{
    u32 buckets = f->words - STAT_HISTOGRAM_HEAD;

    json_put_object(j);
    json_put_key_u64(j, "samples", words[0]);
    json_put_key_u64(j, "sum", words[1]);
    json_put_key(j, "mean");
    json_put_f64(j, stat_histogram_mean(words));
    json_put_key(j, "stdev");
    json_put_f64(j, stat_histogram_stdev(words));
    json_put_key(j, "buckets");
    json_put_array(j);
    for (u32 k = 0; k < buckets; k++) {
        u64 first, last;

        stat_histogram_range(f, k, &first, &last);
        json_put_row(j);
        json_put_u64(j, first);
        json_put_u64(j, words[STAT_HISTOGRAM_HEAD + k]);
        json_put_end(j);
    }
    json_put_end(j);
    json_put_end(j);
}

static void json_value(struct json_out *j, const struct stat_source *s, const u64 *first,
                       const u64 *words, const struct stat_field *f)
{
    json_put_key(j, f->name);
    switch (f->kind) {
    case STAT_VECTOR:
        json_vector(j, f, words);
        break;
    case STAT_HISTOGRAM:
        json_histogram(j, f, words);
        break;
    case STAT_RATIO:
        json_put_f64(j, stat_ratio(s->fields, first, f));
        break;
    default:
        json_put_u64(j, words[0]);
    }
}

static void json_values(struct json_out *j, const struct stat_set *set, const u64 *values)
{
    const char *open = "";

    json_put_object(j);
    for (size_t i = 0; i < set->count; i++) {
        const struct stat_source *s = &set->items[i];
        const u64 *first = values;

        // The top's values stand beside the paths.
        if (s->path[0] && strcmp(open, s->path) != 0) {
            json_put_key(j, s->path);
            json_put_object(j);
        }
        open = s->path;
        for (const struct stat_field *f = s->fields; f->name; values += f->words, f++)
            json_value(j, s, first, values, f);
        if (s->path[0] && (i + 1 == set->count || strcmp(set->items[i + 1].path, open) != 0)) {
            json_put_end(j);
            open = "";
        }
    }
    json_put_end(j);
}

static void json_records(struct json_out *j, const struct stat_set *set,
                         const struct stat_records *records, bool intervals)
{
    bool any = false;

    for (size_t i = 0; i < records->count; i++) {
        const struct stat_record *r = &records->items[i];

        if (r->interval != intervals)
            continue;
        if (!any) {
            json_put_key(j, intervals ? "intervals" : "dumps");
            json_put_array(j);
        }
        any = true;
        json_put_object(j);
        if (intervals) {
            json_put_key_u64(j, "from_ticks", r->from_ticks);
            json_put_key_u64(j, "from_insts", r->from_insts);
        }
        json_put_key_u64(j, "ticks", r->ticks);
        json_put_key_u64(j, "insts", r->insts);
        json_put_key(j, "stats");
        json_values(j, set, r->values);
        json_put_end(j);
    }
    if (any)
        json_put_end(j);
}

void stat_write_json(const struct stat_set *set, const u64 *values,
                     const struct stat_records *records, struct strbuf *out)
{
    struct json_out j = json_out_to(out);

    json_put_object(&j);
    json_put_key_string(&j, "format", "facet-stats");
    json_put_key_u64(&j, "version", 1);
    json_put_key(&j, "stats");
    json_values(&j, set, values);
    json_records(&j, set, records, true);
    json_records(&j, set, records, false);
    json_put_end(&j);
}

struct wanted {
    const char *name;
    double *ret_value;
    bool found;
};

static void match_line(void *context, const struct stat_line *l)
{
    struct wanted *w = context;

    if (strcmp(l->name, w->name) != 0)
        return;
    *w->ret_value = l->is_real ? l->real : (double)l->number;
    w->found = true;
}

bool stat_get(const struct stat_set *set, const u64 *values, const char *name, double *ret_value)
{
    struct wanted w = {.name = name, .ret_value = ret_value};

    stat_visit(set, values, match_line, &w);
    return w.found;
}
