#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""clang-tidy (.clang-tidy) over every C file of src/ that the build folder compiles, in parallel.
With names, only files whose path contains one of them."""

import concurrent.futures
import json
import os
import subprocess
import sys

import tree


def sources(build, names):
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as f:
        paths = {os.path.normpath(os.path.join(row["directory"], row["file"])) for row in json.load(f)}
    return sorted(p for p in paths if "/src/" in p and p.endswith(".c") and not p.endswith("_test.c")
                  and (not names or any(n in p for n in names)))


def tidy(build, path):
    run = subprocess.run(["clang-tidy", "--quiet", "-p", build, path], capture_output=True,
                         text=True, check=False)
    return [] if run.returncode == 0 else [run.stdout.strip() or run.stderr.strip()]


def check(root, args):
    build = os.path.join(root, args.build)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        paths = sources(build, args.names)
        results = pool.map(lambda path: tidy(build, path), paths)
        found = [finding for result in results for finding in result]
    print("clang-tidy: %d files, %d with findings" % (len(paths), len(found)), file=sys.stderr)
    return found


if __name__ == "__main__":
    tree.main(__doc__, check, ("build", {}), ("names", {"nargs": "*"}))
