// SPDX-License-Identifier: BSD-3-Clause
// struct facet_machine: settings first, then a loaded program, then a run.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/api_priv.h"
#include "api/settings.h"
#include "base/alloc.h"
#include "base/log.h"
#include "sim/config.h"

struct facet_machine {
    struct settings settings;
    struct arena arena; // of texts among the settings
    bool loaded;
};

static const char *const default_environment[] = {
    "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/", "LANG=C.UTF-8", "USER=user", "TERM=dumb", NULL,
};

const char *const *facet_default_environment(void)
{
    return default_environment;
}

struct facet_machine *facet_machine_new(void)
{
    struct facet_machine *machine = xcalloc(1, sizeof(*machine));

    params_init(&machine->settings, settings_fields);
    return machine;
}

void facet_machine_free(struct facet_machine *machine)
{
    if (!machine)
        return;
    arena_release(&machine->arena);
    free(machine);
}

bool facet_machine_set(struct facet_machine *machine, const char *path, const char *value,
                       struct facet_error *err)
{
    struct error inner;

    if (machine->loaded)
        return api_error(err, FACET_ERROR_USAGE, "%s: settings come before the program", path);
    return settings_set(&machine->settings, path, value, &machine->arena, &inner) ||
           api_fail(err, &inner);
}

size_t facet_setting_count(void)
{
    size_t count = 0;

    while (settings_fields[count].name)
        count++;
    return count;
}

struct facet_setting facet_setting(size_t index)
{
    const struct param_field *f = &settings_fields[index];
    struct facet_setting setting = {.path = f->name, .doc = f->doc};
    AUTO(strbuf) struct strbuf text = {0};

    if (f->kind == PARAM_CHOICE)
        strbuf_puts(&text, f->initial.text);
    else
        params_format_value(f, f->initial, &text);
    snprintf(setting.initial, sizeof(setting.initial), "%s", strbuf_text(&text));
    snprintf(setting.choices, sizeof(setting.choices), "%s", f->choices ? f->choices : "");
    return setting;
}

bool facet_log_configure(const char *spec, struct facet_error *err)
{
    struct error inner;

    return log_set_filter(spec, &inner) || api_fail(err, &inner);
}

static bool not_yet(struct facet_error *err)
{
    return api_error(err, FACET_ERROR_UNSUPPORTED, "this build of facet cannot run programs yet");
}

// One line of a settings file.
static void read_setting(struct facet_machine *machine, struct config *cfg,
                         struct config_node *node)
{
    struct error inner;

    if (node->kind != CONFIG_VALUE)
        config_problem(cfg, node, "%s: wants one value", node->key);
    else if (!settings_set(&machine->settings, node->key, node->text, &machine->arena, &inner))
        config_problem(cfg, node, "%s", inner.message);
}

bool facet_machine_read(struct facet_machine *machine, const char *file, struct facet_error *err)
{
    struct config cfg;
    struct error inner;
    bool good;

    if (machine->loaded)
        return api_error(err, FACET_ERROR_USAGE, "'%s': settings come before the program", file);
    config_init(&cfg);
    if (config_read(&cfg, file) || cfg.top) {
        for (struct config_node *node = cfg.top->first; node; node = node->next)
            read_setting(machine, &cfg, node);
    }
    good = config_check(&cfg, &inner) || api_fail(err, &inner);
    config_release(&cfg);
    return good;
}

bool facet_machine_load(struct facet_machine *machine, const struct facet_program *program,
                        struct facet_error *err)
{
    return not_yet(err);
}

bool facet_machine_run(struct facet_machine *machine, struct facet_result *ret_result,
                       struct facet_error *err)
{
    return not_yet(err);
}

void facet_machine_stop(struct facet_machine *machine, int why)
{
}

bool facet_machine_write_stats(struct facet_machine *machine, const char *file,
                               struct facet_error *err)
{
    return not_yet(err);
}

bool facet_machine_trace(struct facet_machine *machine, const char *what, const char *file,
                         struct facet_error *err)
{
    return not_yet(err);
}

// Splits "folder/name" and looks at the folder.
static bool check_folder(const char *file, struct facet_error *err)
{
    AUTO_FREE char *folder = xstrdup(file);
    char *slash = strrchr(folder, '/');
    struct error inner;

    if (slash)
        slash[slash == folder] = 0;
    if (access(slash ? folder : ".", W_OK) == 0)
        return true;
    error_set_errno(&inner, "cannot write '%s'", file);
    return api_fail(err, &inner);
}

bool facet_stats_file_check(const char *file, struct facet_error *err)
{
    const char *dot = strrchr(file, '.');

    if (!dot || (strcmp(dot, ".txt") != 0 && strcmp(dot, ".json") != 0 && strcmp(dot, ".csv") != 0))
        return api_error(err, FACET_ERROR_USAGE,
                         "statistics file '%s': the name must end in .txt, .json or .csv", file);
    return check_folder(file, err);
}
