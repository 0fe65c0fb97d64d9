#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The committed reference pages are what the program says of itself. --update writes them anew.

To add a page, add a row to PAGES: the file and the command that prints it; its first word is
"facet", a script of tools/ (which gets facet's path), or a program of the build folder's tools/.
"""

import difflib
import os
import subprocess
import sys

import tree

PAGES = [
    ("docs/reference/cli.md", ["facet", "help", "--markdown"]),
    ("docs/reference/exit-codes.md", ["facet", "help", "--markdown", "exit-codes"]),
    ("docs/reference/instructions.md", ["instructions"]),
    ("docs/reference/statistics.md", ["statistics.py"]),
]


def check_page(root, facet, path, command, update):
    if command[0] == "facet":
        words = [facet, *command[1:]]
    elif command[0].endswith(".py"):
        words = [sys.executable, "-B", os.path.join(root, "tools", command[0]), facet]
    else:
        words = [os.path.join(os.path.dirname(facet), "tools", command[0])]
    made = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    target = os.path.join(root, path)
    committed = tree.read(root, path) if os.path.exists(target) else ""
    if made == committed:
        return []
    if update:
        with open(target, "w", encoding="utf-8") as f:
            f.write(made)
        return []
    diff = difflib.unified_diff(committed.splitlines(), made.splitlines(), path, "now", lineterm="")
    return ["%s is out of date (make update-reference):" % path, *diff]


def check(root, args):
    return [complaint for path, command in PAGES
            for complaint in check_page(root, args.facet, path, command, args.update)]


if __name__ == "__main__":
    tree.main(__doc__, check, ("--facet", {"default": "build/facet"}),
              ("--update", {"action": "store_true"}))
