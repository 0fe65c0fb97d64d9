// SPDX-License-Identifier: BSD-3-Clause
// The effective description of a machine.
#include "base/hash.h"
#include "base/json.h"
#include "sim/component.h"
#include "sim/config.h"

#include <string.h>

// Texts are always quoted, in a form that both YAML and JSON read.
static void put_value(struct strbuf *out, const struct component *c, int index)
{
    struct strbuf text = {0};
    struct json_out j = json_out_to(out);

    params_format(component_params(c), c->type->params, index, &text);
    if (c->type->params[index].kind == PARAM_TEXT)
        json_put_string(&j, strbuf_text(&text));
    else
        strbuf_puts(out, strbuf_text(&text));
    strbuf_release(&text);
}

static void indent(struct strbuf *out, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        strbuf_puts(out, "  ");
}

static bool is_given(const struct component *c, int index)
{
    const char *text;

    if (c->type->params[index].kind != PARAM_TEXT)
        return true;
    memcpy(&text, (const u8 *)component_params(c) + (size_t)index * 8, sizeof(text));
    return text != NULL;
}

static void write_yaml(const struct component *c, struct strbuf *out, unsigned depth)
{
    indent(out, depth);
    strbuf_printf(out, "%s:\n", c->name);
    indent(out, ++depth);
    strbuf_printf(out, "type: %s\n", c->type->name);
    for (int i = 0; c->type->params[i].name; i++) {
        if (!is_given(c, i))
            continue;
        indent(out, depth);
        strbuf_printf(out, "%s: ", c->type->params[i].name);
        put_value(out, c, i);
        strbuf_putc(out, '\n');
    }
    for (const struct component *k = c->first_child; k; k = k->next_sibling)
        write_yaml(k, out, depth);
}

void config_write_yaml(const struct component *root, struct strbuf *out)
{
    write_yaml(root, out, 0);
}

static void write_json(const struct component *c, struct json_out *j)
{
    struct strbuf text = {0};

    json_put_key(j, c->name);
    json_put_object(j);
    json_put_key_string(j, "type", c->type->name);
    for (int i = 0; c->type->params[i].name; i++) {
        if (!is_given(c, i))
            continue;
        strbuf_clear(&text);
        params_format(component_params(c), c->type->params, i, &text);
        json_put_key_string(j, c->type->params[i].name, strbuf_text(&text));
    }
    strbuf_release(&text);
    for (const struct component *k = c->first_child; k; k = k->next_sibling)
        write_json(k, j);
    json_put_end(j);
}

void config_write_json(const struct component *root, struct strbuf *out)
{
    struct json_out j = json_out_to(out);

    json_put_object(&j);
    write_json(root, &j);
    json_put_end(&j);
}

void config_digest(const struct component *root, char text[65])
{
    struct strbuf json = {0};
    struct sha256_digest d;

    config_write_json(root, &json);
    d = sha256_of(json.text, json.length);
    sha256_hex(&d, text);
    strbuf_release(&json);
}
