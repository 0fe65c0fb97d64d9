#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every C file looks as clang-format 14 with the tree's .clang-format makes it, has the licence
tag in its first line, and every text file ends in one newline. --fix formats in place."""

import re
import shutil
import subprocess
import sys

import tree

TAG = "SPDX-License-Identifier: BSD-3-Clause"
SKIPPED = 77


def check_heads(root):
    complaints = []
    for path in tree.files(root, ".c", ".h", ".def", ".py", ".sh"):
        text = tree.read(root, path)
        if text and TAG not in "".join(text.splitlines(True)[:2]):
            complaints.append("%s:1: no licence tag (%s)" % (path, TAG))
        if text and (not text.endswith("\n") or text.endswith("\n\n")):
            complaints.append("%s: does not end in exactly one newline" % path)
    return complaints


def check(root, args):
    if not shutil.which(args.clang_format):
        print("no %s" % args.clang_format)
        sys.exit(SKIPPED)
    version = subprocess.run([args.clang_format, "--version"], capture_output=True, text=True,
                             check=True).stdout
    if not re.search(r"version 14\.", version):
        print("formatting is by clang-format 14; this is %s" % version.strip())
        sys.exit(SKIPPED)
    sources = tree.files(root, ".c", ".h")
    if not sources:
        return []
    mode = ["-i"] if args.fix else ["--dry-run", "-Werror", "--ferror-limit=1"]
    run = subprocess.run([args.clang_format, "--style=file", *mode, *sources], cwd=root,
                         capture_output=True, text=True, check=False)
    complaints = [line for line in run.stderr.splitlines() if "[-W" in line]
    if run.returncode and not complaints:
        complaints = [run.stderr]
    return complaints + check_heads(root)


if __name__ == "__main__":
    tree.main(__doc__, check, ("--fix", {"action": "store_true"}),
              ("--clang-format", {"default": "clang-format"}))
