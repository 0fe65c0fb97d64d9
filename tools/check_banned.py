#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Calls that no file under src/ makes, except their owners: unbounded string functions, hidden
global state, the host's clock and environment, and leaving the process from library code."""

import re

import tree

# call -> paths (prefixes) that may make it
OWNERS = {
    "strcpy": (), "strcat": (), "sprintf": (), "vsprintf": (), "gets": (), "strtok": (),
    "atoi": (), "atol": (), "atoll": (), "atof": (), "alloca": (),
    "rand": (), "srand": (), "random": (), "srandom": (), "drand48": (),
    "setjmp": (), "longjmp": (), "siglongjmp": (), "system": (), "popen": (), "tmpnam": (),
    "time": (), "gettimeofday": (), "localtime": (), "gmtime": (),
    "clock_gettime": ("src/base/", "src/api/", "src/cpu/kvm/", "src/runs/"),
    "getenv": ("src/cli/",), "setenv": (), "putenv": (), "setlocale": (),
    "exit": ("src/cli/",), "_exit": ("src/cli/", "src/api/host_try.c"), "quick_exit": (),
    "abort": ("src/base/bug.c",),
}
CALL = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(OWNERS))


def check(root, _args):
    complaints = []
    for path in tree.files(root, ".c", ".h", ".inc", under=("src",)):
        if path.endswith("_test.c"):
            continue
        code = tree.code_only(tree.read(root, path))
        for match in CALL.finditer(code):
            if not path.startswith(OWNERS[match.group(1)] or ("\0",)):
                complaints.append("%s:%d: %s() is banned here (tools/check_banned.py)"
                                  % (path, tree.line_of(code, match.start()), match.group(1)))
    return complaints


if __name__ == "__main__":
    tree.main(__doc__, check)
