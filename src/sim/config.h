// SPDX-License-Identifier: BSD-3-Clause
// A machine's description: YAML (so JSON, too), read strictly. All problems are collected, each
// with its file and line and the nearest valid name, and told at once.
//
//     pc:
//       type: board             # a mapping with a type is a component
//       clock: 2.4GHz           # a value is a parameter of the component around it
//       timer0: {type: timer, interrupts: pc.apic}
//       cpu0: {clock: 3GHz}     # without a type: for a component that its parent makes itself
//
// Use: read files, apply overrides, config_create, sim_build. Every step says false when there are
// problems so far.
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"

struct component;
struct component_type;
struct sim;

enum config_kind { CONFIG_VALUE, CONFIG_MAP, CONFIG_LIST };

// A node of the description; all memory is the config's arena's.
struct config_node {
    enum config_kind kind;
    const char *key;  // NULL in a list and for the top
    const char *text; // of a value
    bool plain;       // a value without quotes
    const char *file; // "--set" for an override
    unsigned line;
    bool used;
    struct config_node *parent, *first, *last, *next; // children in order
};

struct config {
    struct arena arena;
    struct config_node *top;                   // a map
    const struct component_type *const *types; // borrowed
    struct strbuf problems;                    // one line each
    unsigned problem_count;
};

void config_init(struct config *cfg);
void config_release(struct config *cfg);

// Adds a file's content: maps are merged, a later file's values replace an earlier one's.
bool config_read(struct config *cfg, const char *path);
// The same from memory; `name` stands for the file in messages.
bool config_parse(struct config *cfg, const char *text, size_t size, const char *name);
// "path=value", as given to --set: "pc.cpu0.clock=3GHz".
bool config_override(struct config *cfg, const char *assignment);

// What `map` says under `key`, "cpu*", is said of cpu0 to cpu<count - 1>, before what it says of
// one of these itself; '#' in a value is the number. Before config_create.
void config_repeat(struct config *cfg, struct config_node *map, const char *key, u32 count);

// Creates the components that the description names under the top key `root` (NULL: its only key)
// and sets their parameters; components made later by others get theirs when they are made. `types`
// ends with NULL. The config must live until the machine is built.
bool config_create(struct config *cfg, struct sim *sim, const char *root,
                   const struct component_type *const *types);
// For sim_build, when all components are there: whatever was not used is a problem.
bool config_finish(struct config *cfg, struct sim *sim);
// False and *err when there are problems: the first ones, and how many more. `problems` has all.
bool config_check(const struct config *cfg, struct error *err) MUST_CHECK;

// For other readers of a description (a section that is not the machine).
struct config_node *config_child(const struct config_node *map, const char *key);
void config_problem(struct config *cfg, const struct config_node *at, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

// Called for every new component of a machine that has a description.
void config_describe(struct config *cfg, struct component *c);

// The whole effective description, defaults included; readable by config_read, and then it makes
// the same machine.
void config_write_yaml(const struct component *root, struct strbuf *out);
void config_write_json(const struct component *root, struct strbuf *out);
// SHA-256 of the latter, in hexadecimal: the machine's identity.
void config_digest(const struct component *root, char text[65]);
