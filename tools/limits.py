#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Prints docs/reference/limits.md: every APPROX: and UNMODELLED: remark of the sources, with where it
stands. What facet does not model is told to its users, not hidden in the code."""

import os
import re
import sys

import tree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REMARK = re.compile(r"//(.*?)\b(APPROX|UNMODELLED):\s*(.*)")
GOES_ON = re.compile(r"\s*//\s?(.*)")


def remarks(root):
    """(tag, path, text) of each remark; a remark goes on over the following comment lines."""
    for path in tree.files(root, ".c", ".h", ".def", under=("src",)):
        lines = tree.read(root, path).splitlines()
        for i, line in enumerate(lines):
            found = REMARK.search(line)
            if not found:
                continue
            text = [found.group(3)]
            for following in lines[i + 1:]:
                more = GOES_ON.fullmatch(following)
                other = REMARK.search(following)
                if other:
                    text.append(other.group(1))
                if not more or other or not more.group(1).strip():
                    break
                text.append(more.group(1))
            yield found.group(2), path, " ".join(" ".join(text).split())


def page(root):
    rows = sorted(set(remarks(root)))
    out = ["# What is simplified, and what is not modelled", "",
           "Made by `tools/limits.py` from the remarks in the sources; do not edit "
           "(`make update-reference`).", ""]
    for tag, title in [("APPROX", "Simplified"), ("UNMODELLED", "Not modelled")]:
        out += ["## " + title, "", "| file | |", "|---|---|"]
        out += ["| `%s` | %s |" % (path, text.replace("|", "\\|")) for t, path, text in rows
                if t == tag]
        out.append("")
    return "\n".join(out[:-1]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page(ROOT))
