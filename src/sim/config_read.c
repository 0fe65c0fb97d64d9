// SPDX-License-Identifier: BSD-3-Clause
// From YAML text to a description's nodes, with libyaml's event parser (YAML 1.1). What could
// surprise is refused: aliases, anchors, tags, several documents, keys twice.
#include "base/file.h"
#include "sim/config.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { DEPTH_MAX = 32 };
#define FILE_MAX MiB(16)

struct reader {
    struct config *cfg;
    const char *file; // in the arena
    yaml_parser_t parser;
};

static struct config_node *node_new(struct reader *r, enum config_kind kind, yaml_mark_t mark)
{
    struct config_node *n = arena_alloc(&r->cfg->arena, sizeof(*n));

    n->kind = kind;
    n->file = r->file;
    n->line = (unsigned)mark.line + 1;
    return n;
}

static void append(struct config_node *parent, struct config_node *n)
{
    n->parent = parent;
    n->next = NULL;
    if (parent->last)
        parent->last->next = n;
    else
        parent->first = n;
    parent->last = n;
}

static bool next_event(struct reader *r, yaml_event_t *e)
{
    struct config_node at = {.file = r->file};

    if (yaml_parser_parse(&r->parser, e))
        return true;
    at.line = (unsigned)r->parser.problem_mark.line + 1;
    config_problem(r->cfg, &at, "not valid YAML: %s%s%s",
                   r->parser.context ? r->parser.context : "", r->parser.context ? ": " : "",
                   r->parser.problem ? r->parser.problem : "no memory");
    return false;
}

static bool refuse(struct reader *r, yaml_mark_t mark, const char *what)
{
    struct config_node at = {.file = r->file, .line = (unsigned)mark.line + 1};

    config_problem(r->cfg, &at, "%s", what);
    return false;
}

// Anchors and tags of a node that begins.
static bool refuse_decoration(struct reader *r, const yaml_event_t *e)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;

    if (e->type == YAML_SCALAR_EVENT) {
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
    } else if (e->type == YAML_MAPPING_START_EVENT) {
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
    } else if (e->type == YAML_SEQUENCE_START_EVENT) {
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
    }
    if (anchor || e->type == YAML_ALIAS_EVENT)
        return refuse(r, e->start_mark, "anchors and aliases are not allowed");
    return !tag || refuse(r, e->start_mark, "tags are not allowed");
}

static struct config_node *read_value(struct reader *r, const yaml_event_t *first, unsigned depth);

static struct config_node *read_scalar(struct reader *r, const yaml_event_t *e)
{
    struct config_node *n = node_new(r, CONFIG_VALUE, e->start_mark);
    const char *text = (const char *)e->data.scalar.value;

    if (strlen(text) != e->data.scalar.length) {
        refuse(r, e->start_mark, "a value has a NUL byte");
        return NULL;
    }
    n->text = arena_strdup(&r->cfg->arena, text);
    n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return n;
}

static bool read_member(struct reader *r, struct config_node *map, const yaml_event_t *key,
                        unsigned depth)
{
    struct config_node *n, *twin;
    yaml_event_t e;

    if (key->type != YAML_SCALAR_EVENT)
        return refuse(r, key->start_mark, "a key must be a name");
    if (!refuse_decoration(r, key) || !next_event(r, &e))
        return false;
    n = read_value(r, &e, depth);
    yaml_event_delete(&e);
    if (!n)
        return false;
    n->key = arena_strdup(&r->cfg->arena, (const char *)key->data.scalar.value);
    n->line = (unsigned)key->start_mark.line + 1;
    twin = config_child(map, n->key);
    if (twin)
        config_problem(r->cfg, n, "'%.60s' is given twice; first in line %u", n->key, twin->line);
    else
        append(map, n);
    return true;
}

static struct config_node *read_collection(struct reader *r, const yaml_event_t *first,
                                           unsigned depth)
{
    bool map = first->type == YAML_MAPPING_START_EVENT;
    struct config_node *n = node_new(r, map ? CONFIG_MAP : CONFIG_LIST, first->start_mark);

    if (depth > DEPTH_MAX) {
        refuse(r, first->start_mark, "nested too deep");
        return NULL;
    }
    for (;;) {
        struct config_node *element;
        yaml_event_t e;
        bool end, ok;

        if (!next_event(r, &e))
            return NULL;
        end = e.type == YAML_MAPPING_END_EVENT || e.type == YAML_SEQUENCE_END_EVENT;
        if (end) {
            ok = true;
        } else if (map) {
            ok = read_member(r, n, &e, depth);
        } else {
            element = read_value(r, &e, depth);
            ok = element != NULL;
            if (ok)
                append(n, element);
        }
        yaml_event_delete(&e);
        if (!ok)
            return NULL;
        if (end)
            return n;
    }
}

static struct config_node *read_value(struct reader *r, const yaml_event_t *first, unsigned depth)
{
    if (!refuse_decoration(r, first))
        return NULL;
    if (first->type == YAML_SCALAR_EVENT)
        return read_scalar(r, first);
    return read_collection(r, first, depth + 1);
}

// Puts the members of `from` into `into`; a map joins a map, anything else replaces.
static void merge(struct config_node *into, struct config_node *from)
{
    struct config_node *next;

    for (struct config_node *n = from->first; n; n = next) {
        struct config_node *old = config_child(into, n->key);

        next = n->next;
        if (!old) {
            append(into, n);
        } else if (old->kind == CONFIG_MAP && n->kind == CONFIG_MAP) {
            merge(old, n);
        } else {
            old->kind = n->kind;
            old->text = n->text;
            old->plain = n->plain;
            old->file = n->file;
            old->line = n->line;
            old->first = n->first;
            old->last = n->last;
            for (struct config_node *k = old->first; k; k = k->next)
                k->parent = old;
        }
    }
}

// The second of two events whose content is of no interest; its type.
static bool skip_two(struct reader *r, yaml_event_type_t *ret_type, yaml_mark_t *ret_mark)
{
    for (unsigned i = 0; i < 2; i++) {
        yaml_event_t e;

        if (!next_event(r, &e))
            return false;
        *ret_type = e.type;
        *ret_mark = e.start_mark;
        yaml_event_delete(&e);
    }
    return true;
}

static void read_document(struct reader *r)
{
    struct config_node *top;
    yaml_event_type_t type;
    yaml_mark_t mark;
    yaml_event_t e;

    if (!skip_two(r, &type, &mark))
        return;
    if (type == YAML_STREAM_END_EVENT) {
        refuse(r, mark, "the file is empty");
        return;
    }
    if (!next_event(r, &e))
        return;
    if (e.type != YAML_MAPPING_START_EVENT) {
        refuse(r, e.start_mark, "a mapping is expected");
        yaml_event_delete(&e);
        return;
    }
    top = read_value(r, &e, 0);
    yaml_event_delete(&e);
    if (!top || !skip_two(r, &type, &mark))
        return;
    if (type != YAML_STREAM_END_EVENT)
        refuse(r, mark, "one document is expected");
    else
        merge(r->cfg->top, top);
}

bool config_parse(struct config *cfg, const char *text, size_t size, const char *name)
{
    struct reader r = {.cfg = cfg, .file = arena_strdup(&cfg->arena, name)};

    if (!yaml_parser_initialize(&r.parser)) {
        config_problem(cfg, NULL, "%s: no memory", name);
        return false;
    }
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
    read_document(&r);
    yaml_parser_delete(&r.parser);
    return !cfg->problem_count;
}

bool config_read(struct config *cfg, const char *path)
{
    struct strbuf text = {0};
    struct error err;
    bool ok = file_read(path, FILE_MAX, &text, &err);

    if (ok)
        ok = config_parse(cfg, strbuf_text(&text), text.length, path);
    else
        config_problem(cfg, NULL, "%s", err.message);
    strbuf_release(&text);
    return ok;
}

bool config_override(struct config *cfg, const char *assignment)
{
    const char *equals = strchr(assignment, '='), *p = assignment;
    struct config_node *at = cfg->top;

    if (!equals || equals == assignment) {
        config_problem(cfg, NULL, "--set '%.80s': PATH=VALUE is expected", assignment);
        return false;
    }
    while (p < equals) {
        size_t n = strcspn(p, ".=");
        char *key = arena_printf(&cfg->arena, "%.*s", (int)n, p);
        struct config_node *child = config_child(at, key);
        bool leaf = p + n == equals;

        if (!n || (!leaf && child && child->kind != CONFIG_MAP)) {
            config_problem(cfg, NULL, "--set '%.80s': '%.*s' is no component", assignment,
                           (int)(p + n - assignment), assignment);
            return false;
        }
        if (!child) {
            child = arena_alloc(&cfg->arena, sizeof(*child));
            child->kind = CONFIG_MAP;
            child->key = key;
            child->file = arena_printf(&cfg->arena, "--set %s", assignment);
            append(at, child);
        }
        if (leaf) {
            child->kind = CONFIG_VALUE;
            child->text = arena_strdup(&cfg->arena, equals + 1);
            child->plain = false;
            child->file = arena_printf(&cfg->arena, "--set %s", assignment);
            child->line = 0;
            child->first = child->last = NULL;
        }
        at = child;
        p += n + 1;
    }
    return true;
}
