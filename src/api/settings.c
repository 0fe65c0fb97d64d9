// SPDX-License-Identifier: BSD-3-Clause
#include "api/settings.h"

#include "base/names.h"

PARAM_FIELDS(settings, SETTINGS);

int settings_find(const char *path, struct error *err)
{
    struct names_nearest near = {.word = path};
    int index = params_find(settings_fields, path);

    if (index >= 0)
        return index;
    for (const struct param_field *f = settings_fields; f->name; f++)
        names_offer(&near, f->name);
    if (near.best)
        error_set(err, ERROR_INPUT, "no machine setting '%s'; did you mean '%s'?", path, near.best);
    else
        error_set(err, ERROR_INPUT,
                  "no machine setting '%s'; docs/reference/cli.md lists the settings", path);
    return -1;
}

bool settings_set(struct settings *s, const char *path, const char *value, struct arena *arena,
                  struct error *err)
{
    int index = settings_find(path, err);

    if (index < 0)
        return false;
    return params_set(s, settings_fields, index, value, arena, err) || error_wrap(err, "%s", path);
}
