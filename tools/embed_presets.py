#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the descriptions in configs/ as a C file: embed_presets.py OUT.c FILE.yaml..."""

import os
import sys


def c_string(text):
    lines = []
    for line in text.splitlines():
        escaped = line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
        lines.append('     "%s\\n"' % escaped)
    return "\n".join(lines)


def main(out, files):
    files = sorted(files)
    names = [os.path.basename(f)[: -len(".yaml")] for f in files]
    text = ['// Made by tools/embed_presets.py from configs/.', '#include "machine/processor.h"', ""]
    text += ["#include <string.h>", ""]
    text += ["const char *const processor_presets[] = {%s, NULL};" % ", ".join('"%s"' % n for n in names)]
    text += ["", "const char *processor_preset(const char *name)", "{"]
    text += ["    static const char *const texts[] = {"]
    for f in files:
        with open(f, encoding="utf-8") as source:
            text += [c_string(source.read()) + ","]
    text += ["    };", ""]
    text += ["    for (u32 i = 0; processor_presets[i]; i++)"]
    text += ["        if (strcmp(processor_presets[i], name) == 0)", "            return texts[i];"]
    text += ["    return NULL;", "}", ""]
    with open(out, "w", encoding="utf-8") as target:
        target.write("\n".join(text))


main(sys.argv[1], sys.argv[2:])
