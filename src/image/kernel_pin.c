// SPDX-License-Identifier: BSD-3-Clause
// kernel.json: docs/formats/kernel-pin.md.
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "image/kernel_priv.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { SCHEMA_VERSION = 1 };

#define PIN_SIZE_MAX KiB(64)

// Names become parts of paths and arguments: nothing but what Debian's names and versions have.
static bool get_name(const json_t *object, const char *key, char *into, size_t size,
                     const char *file, struct error *err)
{
    const char *text = json_get_string(object, key);
    bool good = text && text[0] && strlen(text) < size && isalnum((unsigned char)text[0]);

    for (const char *c = text; good && *c; c++)
        good = isalnum((unsigned char)*c) || strchr(".-+~:_", *c);
    if (!good)
        return error_set(err, ERROR_INPUT, "'%s' is no kernel pin: '%s' is missing or malformed",
                         file, key);
    snprintf(into, size, "%s", text);
    return true;
}

static bool get_hash(const json_t *object, const char *key, char into[65], const char *file,
                     struct error *err)
{
    if (!get_name(object, key, into, 65, file, err))
        return false;
    if (strlen(into) != 64 || strspn(into, "0123456789abcdef") != 64)
        return error_set(err, ERROR_INPUT, "'%s' is no kernel pin: '%s' is no SHA-256", file, key);
    return true;
}

static bool read_members(const json_t *document, struct kernel_pin *pin, const char *file,
                         struct error *err)
{
    u64 version;

    if (!json_get_u64(document, "schema_version", &version))
        return error_set(err, ERROR_INPUT, "'%s' is no kernel pin: no schema_version", file);
    if (version != SCHEMA_VERSION)
        return error_set(err, ERROR_INPUT, "'%s' has schema_version %llu; this facet reads %d",
                         file, (unsigned long long)version, SCHEMA_VERSION);
    return get_name(document, "flavour", pin->flavour, sizeof(pin->flavour), file, err) &&
           get_name(document, "package", pin->package, sizeof(pin->package), file, err) &&
           get_name(document, "version", pin->version, sizeof(pin->version), file, err) &&
           get_name(document, "release", pin->release, sizeof(pin->release), file, err) &&
           get_hash(document, "deb_sha256", pin->deb_sha256, file, err) &&
           get_hash(document, "vmlinuz_sha256", pin->vmlinuz_sha256, file, err);
}

bool kernel_pin_read(const char *file, struct kernel_pin *ret_pin, struct error *err)
{
    AUTO(strbuf) struct strbuf text = {0};
    struct kernel_pin pin = {0};
    json_t *document;
    bool good;

    if (!file_read(file, PIN_SIZE_MAX, &text, err))
        return false;
    document = json_parse(strbuf_text(&text), text.length, file, err);
    if (!document)
        return false;
    good = read_members(document, &pin, file, err);
    json_decref(document);
    if (good)
        *ret_pin = pin;
    return good;
}

bool kernel_pin_write(const char *file, const struct kernel_pin *pin, struct error *err)
{
    AUTO(strbuf) struct strbuf text = {0};
    struct json_out j = json_out_to(&text);

    json_put_object(&j);
    json_put_key_u64(&j, "schema_version", SCHEMA_VERSION);
    json_put_key_string(&j, "flavour", pin->flavour);
    json_put_key_string(&j, "package", pin->package);
    json_put_key_string(&j, "version", pin->version);
    json_put_key_string(&j, "release", pin->release);
    json_put_key_string(&j, "deb_sha256", pin->deb_sha256);
    json_put_key_string(&j, "vmlinuz_sha256", pin->vmlinuz_sha256);
    json_put_end(&j);
    return file_write(file, text.text, text.length, err);
}

bool kernel_pin_same(const struct kernel_pin *a, const struct kernel_pin *b)
{
    return strcmp(a->package, b->package) == 0 && strcmp(a->version, b->version) == 0 &&
           strcmp(a->deb_sha256, b->deb_sha256) == 0 &&
           strcmp(a->vmlinuz_sha256, b->vmlinuz_sha256) == 0;
}
