// SPDX-License-Identifier: BSD-3-Clause
// Parts of a machine that are there several times are described once.
#include "sim/config.h"

#include "base/alloc.h"
#include "base/bug.h"

#include <stdio.h>
#include <string.h>

static void append(struct config_node *parent, struct config_node *n)
{
    n->parent = parent;
    if (parent->last)
        parent->last->next = n;
    else
        parent->first = n;
    parent->last = n;
}

// The text with the number in the place of each '#'.
static const char *numbered(struct config *cfg, const char *text, u32 number)
{
    AUTO(strbuf) struct strbuf out = {0};

    for (; *text; text++)
        if (*text == '#')
            strbuf_printf(&out, "%u", (unsigned)number);
        else
            strbuf_putc(&out, *text);
    return arena_strdup(&cfg->arena, strbuf_text(&out));
}

static void copy_members(struct config *cfg, const struct config_node *from, struct config_node *to,
                         u32 number);

// Puts a copy of `from` under `to`, unless there is one; maps are joined.
static void copy(struct config *cfg, const struct config_node *from, struct config_node *to,
                 const char *key, u32 number)
{
    struct config_node *n = key ? config_child(to, key) : NULL;

    if (!n) {
        n = arena_alloc(&cfg->arena, sizeof(*n));
        *n = (struct config_node){.kind = from->kind,
                                  .key = key,
                                  .plain = from->plain,
                                  .file = from->file,
                                  .line = from->line};
        if (from->text)
            n->text = numbered(cfg, from->text, number);
        append(to, n);
    } else if (n->kind != CONFIG_MAP || from->kind != CONFIG_MAP) {
        return; // the particular one wins
    }
    copy_members(cfg, from, n, number);
}

static void copy_members(struct config *cfg, const struct config_node *from, struct config_node *to,
                         u32 number)
{
    for (const struct config_node *n = from->first; n; n = n->next)
        copy(cfg, n, to, n->key, number);
}

void config_repeat(struct config *cfg, struct config_node *map, const char *key, u32 count)
{
    struct config_node *pattern = config_child(map, key), **link = &map->first;
    size_t stem = strlen(key) - 1;

    ASSERT(key[stem] == '*');
    if (!pattern)
        return;
    for (u32 i = 0; i < count; i++) {
        char name[64];

        snprintf(name, sizeof(name), "%.*s%u", (int)MIN(stem, (size_t)40), key, (unsigned)i);
        copy(cfg, pattern, map, arena_strdup(&cfg->arena, name), i);
    }
    while (*link != pattern)
        link = &(*link)->next;
    *link = pattern->next;
    if (map->last == pattern) // only where nothing was repeated
        for (map->last = map->first; map->last && map->last->next;)
            map->last = map->last->next;
}
