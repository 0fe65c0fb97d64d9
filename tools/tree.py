# SPDX-License-Identifier: BSD-3-Clause
"""What the checks share: which files the tree has, and C text without comments and strings."""

import argparse
import os
import re
import sys

SKIP_DIRS = re.compile(r"^(build.*|\.git|\.cache|__pycache__|\.pytest_cache|\.hypothesis)$")


def files(root, *suffixes, under=("src", "include", "tests", "bench", "tools")):
    """Paths relative to root, sorted, of every file with one of the suffixes."""
    found = []
    for top in under:
        for folder, dirs, names in os.walk(os.path.join(root, top)):
            dirs[:] = [d for d in dirs if not SKIP_DIRS.match(d)]
            found += [os.path.relpath(os.path.join(folder, n), root)
                      for n in names if n.endswith(suffixes)]
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def _blank(match):
    text = match.group(0)
    if text[0] in "\"'":
        return text[0] + text[0]
    return re.sub(r"[^\n]", " ", text)


def code_only(text):
    """C source with comments blanked and literals emptied; line numbers are kept."""
    return re.sub(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", _blank, text,
                  flags=re.S)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def main(doc, check, *extra):
    """Runs check(root, args) -> list of complaints; exit status 1 if there are any.

    Each of extra is (name, keyword arguments) for argparse.
    """
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    for name, kwargs in extra:
        parser.add_argument(name, **kwargs)
    args = parser.parse_args()
    complaints = check(args.root, args)
    for line in complaints:
        print(line)
    sys.exit(1 if complaints else 0)
