// SPDX-License-Identifier: BSD-3-Clause
// Devices of a computer that users name by a short text, as assignments to its description.
#include "api/machine_priv.h"

#include "base/alloc.h"
#include "base/names.h"

#include <stdio.h>
#include <string.h>

enum { KEY_MAX = 32 };

static void assign(struct facet_machine *machine, const char *component, unsigned number,
                   const char *key, const char *value)
{
    VEC_PUSH(&machine->assignments, xasprintf("pc.%s%u.%s=%s", component, number, key, value));
}

// Splits "key=value,key=value"; a key without '=' is "true". A comma in a value is written twice.
static const char *next_pair(const char *text, char key[KEY_MAX], struct strbuf *value)
{
    size_t n = strcspn(text, "=,");

    snprintf(key, KEY_MAX, "%.*s", (int)MIN(n, (size_t)KEY_MAX - 1), text);
    value->length = 0;
    text += n;
    if (*text != '=') {
        strbuf_puts(value, "true");
        return *text ? text + 1 : text;
    }
    for (text++; *text; text++) {
        if (*text == ',' && text[1] != ',')
            return text + 1;
        text += *text == ',';
        strbuf_putc(value, *text);
    }
    return text;
}

static bool unknown_key(const char *what, const char *key, const char *const *known,
                        struct facet_error *err)
{
    struct names_nearest near = {.word = key};

    for (; *known; known++)
        names_offer(&near, *known);
    return api_error(err, FACET_ERROR_USAGE, "%s: no '%s'%s%s%s", what, key,
                     near.best ? "; did you mean '" : "", near.best ? near.best : "",
                     near.best ? "'?" : "");
}

static bool is_one_of(const char *word, const char *const *known)
{
    for (; *known; known++)
        if (strcmp(word, *known) == 0)
            return true;
    return false;
}

bool facet_machine_add_disk(struct facet_machine *machine, const char *text,
                            struct facet_error *err)
{
    static const char *const keys[] = {"file",     "format", "overlay",       "backing",
                                       "readonly", "bus",    "write_through", NULL};
    unsigned number = machine->disks;
    AUTO(strbuf) struct strbuf value = {0};
    bool file = false, format = false, virtio = false, mmio = false;
    char key[KEY_MAX];

    while (*text) {
        text = next_pair(text, key, &value);
        if (!is_one_of(key, keys))
            return unknown_key("disk", key, keys, err);
        file |= strcmp(key, "file") == 0;
        format |= strcmp(key, "format") == 0;
        if (strcmp(key, "bus") != 0) {
            assign(machine, "disk", number, key, strbuf_text(&value));
            continue;
        }
        mmio = strcmp(strbuf_text(&value), "virtio-mmio") == 0;
        virtio = mmio || strcmp(strbuf_text(&value), "virtio") == 0;
        if (!virtio && strcmp(strbuf_text(&value), "nvme") != 0)
            return api_error(err, FACET_ERROR_USAGE,
                             "disk: no bus '%s'; there are nvme, virtio and virtio-mmio",
                             strbuf_text(&value));
    }
    if (!file || !format)
        return api_error(err, FACET_ERROR_USAGE,
                         "disk: wants file=FILE,format=raw or qcow2; no file is asked what it is");
    snprintf(key, sizeof(key), "pc.disk%u", number);
    assign(machine, "disk", number, "type", "disk");
    assign(machine, virtio ? "vblk" : "nvme", number, "type", virtio ? "virtio_blk" : "nvme");
    assign(machine, virtio ? "vblk" : "nvme", number, "disk", key);
    if (mmio)
        assign(machine, "vblk", number, "transport", "mmio");
    machine->disks++;
    return true;
}

bool facet_machine_add_share(struct facet_machine *machine, const char *text,
                             struct facet_error *err)
{
    static const char *const keys[] = {"folder", "tag", "writable", NULL};
    unsigned number = machine->shares;
    AUTO(strbuf) struct strbuf value = {0};
    char key[KEY_MAX], tag[KEY_MAX];
    bool folder = false;

    snprintf(tag, sizeof(tag), "share%u", number);
    assign(machine, "share", number, "tag", tag);
    // A plain path is the folder.
    if (strncmp(text, "folder=", 7) != 0 && !strchr(text, '=')) {
        assign(machine, "share", number, "folder", text);
        folder = true;
        text = "";
    }
    while (*text) {
        text = next_pair(text, key, &value);
        if (!is_one_of(key, keys))
            return unknown_key("share", key, keys, err);
        folder |= strcmp(key, "folder") == 0;
        assign(machine, "share", number, key, strbuf_text(&value));
    }
    if (!folder)
        return api_error(err, FACET_ERROR_USAGE, "share: wants a folder");
    assign(machine, "share", number, "type", "virtio_9p");
    machine->shares++;
    return true;
}

bool facet_machine_add_net(struct facet_machine *machine, const char *text, struct facet_error *err)
{
    static const char *const keys[] = {"mac", "forward", "restricted", NULL};
    unsigned number = machine->nets;
    AUTO(strbuf) struct strbuf value = {0};
    bool user = strncmp(text, "user", 4) == 0 && (!text[4] || text[4] == ',');
    char key[KEY_MAX];

    if (!user && strcmp(text, "none") != 0)
        return api_error(
            err, FACET_ERROR_USAGE,
            "net: wants user (and forward=tcp:HOST:GUEST, restricted, mac=MAC) or none");
    if (!user)
        return true;
    for (text += text[4] ? 5 : 4; *text;) {
        text = next_pair(text, key, &value);
        if (!is_one_of(key, keys))
            return unknown_key("net", key, keys, err);
        assign(machine, strcmp(key, "mac") == 0 ? "net" : "user", number, key, strbuf_text(&value));
    }
    snprintf(key, sizeof(key), "pc.net%u", number);
    assign(machine, "net", number, "type", "virtio_net");
    assign(machine, "user", number, "type", "net_user");
    assign(machine, "user", number, "card", key);
    machine->nets++;
    return true;
}
