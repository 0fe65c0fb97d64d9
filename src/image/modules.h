// SPDX-License-Identifier: BSD-3-Clause
// The modules of a Linux kernel in a folder: found by name, with what they need, in the order in
// which insmod must load them. Dependencies come from the modules themselves (section .modinfo), so
// that depmod need not have run.
#pragma once

#include "base/error.h"
#include "base/strbuf.h"

struct kernel_modules {
    struct kernel_module *items; // owned
    size_t count, room;
    char *folder;   // owned
    char *built_in; // owned: the text of modules.builtin, or ""
};

// Reads which modules there are anywhere below `folder`.
bool kernel_modules_open(struct kernel_modules *m, const char *folder,
                         struct error *err) MUST_CHECK;
void kernel_modules_release(struct kernel_modules *m);

// Files of modules, owned by the kernel_modules.
struct module_list {
    const char **items; // owned
    size_t count, room;
};

// Appends the file of the module, behind those of what it needs, unless they are there already. One
// that is built into the kernel needs no file.
bool kernel_modules_need(struct kernel_modules *m, const char *name, struct module_list *list,
                         struct error *err) MUST_CHECK;

// Where below `folder` a whole installed set of modules is: *ret_base has lib/modules/*ret_release.
// Both to be freed.
bool kernel_modules_locate(const char *folder, char **ret_base, char **ret_release,
                           struct error *err) MUST_CHECK;

// Where modprobe looks for it: "lib/modules/VERSION/kernel/…" if the folder tells the version, else
// "lib/modules/NAME.ko"; without the suffix of a compressed one. To be freed.
char *kernel_module_place(const char *file);
// Whether the file is compressed, and the module that it then holds.
bool kernel_module_is_compressed(const char *file);
bool kernel_module_unpack(const char *file, struct strbuf *out, struct error *err) MUST_CHECK;
