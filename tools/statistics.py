#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Prints docs/reference/statistics.md: the statistics of `facet exec`, as facet writes them. Names of
statistics are an interface; that this page is compared on every commit makes a change visible."""

import os
import re
import subprocess
import sys
import tempfile

ROW = re.compile(r"(\S+)\s+(\S+)\s+# (.*) \((.*)\)$")


def rows(facet):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "stats.txt")
        subprocess.run([facet, "exec", "--stats-file", path, "--", "/bin/true"], check=True)
        with open(path, encoding="utf-8") as f:
            return [match.groups() for match in map(ROW.match, f) if match]


def main():
    print("# Statistics of facet exec\n\n"
          "Made by `tools/statistics.py` from a run of one CPU; do not edit (`make update-reference`). "
          "With several,\n`system.cpu` becomes `system.cpu0`, `system.cpu1` and so on. The file formats: "
          "[stats.md](../formats/stats.md).\n\n| name | unit | |\n|---|---|---|")
    for name, _, doc, unit in rows(sys.argv[1] if len(sys.argv) > 1 else "build/facet"):
        print("| `%s` | %s | %s |" % (name, unit.strip("()"), doc))


if __name__ == "__main__":
    main()
