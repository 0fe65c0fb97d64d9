#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every header compiles alone, without warnings; those of include/facet/ also as C++."""

import concurrent.futures
import os
import subprocess

import tree

FLAGS = ["-fsyntax-only", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wno-unused-parameter",
         "-Wno-unused-function", "-Werror", "-Isrc", "-Iinclude", "-include"]


def compile_one(root, command, include_dirs, path):
    name = path[len("src/"):] if path.startswith("src/") else path[len("include/"):]
    run = subprocess.run([*command, *["-I" + d for d in include_dirs], *FLAGS, name, "-"], cwd=root,
                         input="", capture_output=True, text=True, check=False)
    if run.returncode == 0:
        return []
    return ["%s: does not compile alone:\n%s" % (path, run.stderr.strip())]


def check(root, args):
    c = [args.cc, "-x", "c", "-std=gnu17"]
    cxx = [args.cxx, "-x", "c++", "-std=c++17"]
    headers = tree.files(root, ".h", under=("src", "include"))
    jobs = [(c, path) for path in headers]
    jobs += [(cxx, path) for path in headers if path.startswith("include/")]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda job: compile_one(root, job[0], args.include, job[1]), jobs)
        return [complaint for result in results for complaint in result]


if __name__ == "__main__":
    tree.main(__doc__, check, ("--cc", {"default": "gcc"}), ("--cxx", {"default": "g++"}),
              ("--include", {"action": "append", "default": []}))
