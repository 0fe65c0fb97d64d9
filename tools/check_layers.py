#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Dependencies point down: every #include "..." under src/ obeys the layer table of ARCHITECTURE.md.

A row is `| folder | may include | why |`. A folder may always include itself and base. A header
that ends in _priv.h is for its own folder only. include/facet/ includes only system headers and
itself.
"""

import os
import re

import tree

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)


def layer_table(root):
    table = {}
    for line in tree.read(root, "ARCHITECTURE.md").splitlines():
        row = re.match(r"\|\s*([a-z/]+)\s*\|([^|]*)\|", line)
        if row and row.group(1) != "folder":
            table[row.group(1)] = set(re.findall(r"[a-z/]+", row.group(2)))
    return table


def layer_of(included):
    return "include/facet" if included.startswith("facet/") else included.split("/")[0]


def check_file(root, path, table):
    if path.startswith("include/facet/"):
        layer, allowed = "include/facet", {"include/facet"}
    else:
        layer = path.split("/")[1]
        if layer not in table:
            return ["%s: folder '%s' is not in the layer table of ARCHITECTURE.md" % (path, layer)]
        allowed = table[layer] | {layer, "base"}
    complaints = []
    text = tree.read(root, path)
    for match in INCLUDE.finditer(text):
        included = match.group(1)
        where = "%s:%d" % (path, tree.line_of(text, match.start(1)))
        if "/" not in included:
            complaints.append("%s: '%s' is not a path from src/" % (where, included))
        elif layer_of(included) not in allowed:
            complaints.append("%s: %s may not include '%s'" % (where, layer, included))
        elif (included.endswith("_priv.h")
              and os.path.dirname("src/" + included) != os.path.dirname(path)):
            complaints.append("%s: '%s' is private to its folder" % (where, included))
    return complaints


def check(root, _args):
    table = layer_table(root)
    if not table:
        return ["ARCHITECTURE.md: no layer table"]
    return [complaint for path in tree.files(root, ".c", ".h", ".def", ".inc", under=("src", "include"))
            for complaint in check_file(root, path, table)]


if __name__ == "__main__":
    tree.main(__doc__, check)
