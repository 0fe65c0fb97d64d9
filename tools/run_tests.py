#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""make test: builds with gcc, with clang and with ASan+UBSan, runs the Meson suites in each and
sums up. The last line is `N passed, N failed, N skipped`; the exit status is 1 if any failed.

A test that speaks TAP counts as many as it reports, any other test as one. A build that fails
counts as one failed test.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
JOBS = str(os.cpu_count() or 2)
SANITIZERS = ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Doptimization=1"]
# build folder, what it shows, meson options, environment, meson test arguments
BUILDS = [
    ("build", "gcc, all suites but nightly", [], {}, ["--no-suite", "nightly", "--timeout-multiplier", "4"]),
    ("build-clang", "clang, quick suite", ["-Dwerror=true"], {"CC": "clang", "CXX": "clang++"},
     ["--suite", "quick", "--no-suite", "house", "--timeout-multiplier", "4"]),
    ("build-asan", "gcc with ASan and UBSan, quick suite", SANITIZERS, {},
     ["--suite", "quick", "--suite", "sanitize", "--no-suite", "house",
      "--timeout-multiplier", "12"]),
]
SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1:handle_segv=0:allow_user_segv_handler=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}


def tap_counts(text):
    """(passed, failed, skipped) of a TAP stream, or None if the text is not TAP."""
    if not re.search(r"^\s*1\.\.\d+", text, re.M):
        return None
    failed = len(re.findall(r"^not ok\b(?!.*# *TODO)", text, re.M | re.I))
    skipped = len(re.findall(r"^ok\b.*# *SKIP", text, re.M | re.I))
    passed = len(re.findall(r"^ok\b", text, re.M)) - skipped
    return passed, failed, skipped


def count(records):
    """Sums Meson's testlog.json records; also names the tests that failed."""
    total, bad = [0, 0, 0], []
    for record in records:
        result = record["result"]
        good = result in ("OK", "EXPECTEDFAIL")
        cases = tap_counts(record.get("stdout") or "") if result != "SKIP" else None
        passed, failed, skipped = cases or (int(good), 0, int(result == "SKIP"))
        if not good and result != "SKIP":
            failed = max(failed, 1)
            bad.append(record["name"])
        total = [total[0] + passed, total[1] + failed, total[2] + skipped]
    return total, bad


def run(command, env, log):
    with open(log, "a", encoding="utf-8") as out:
        return subprocess.run(command, cwd=ROOT, env=env, stdout=out, stderr=subprocess.STDOUT,
                              check=False).returncode == 0


def tail(path, lines=40):
    with open(path, encoding="utf-8", errors="replace") as f:
        print("".join(f.readlines()[-lines:]), end="")


def one_build(folder, shows, options, extra_env, arguments):
    """Configures, builds, tests one build folder; returns [passed, failed, skipped]."""
    start = time.monotonic()
    print("== %s: %s" % (folder, shows), flush=True)
    env = {**os.environ, **SANITIZER_ENV, **extra_env}
    os.makedirs(os.path.join(ROOT, folder), exist_ok=True)
    log = os.path.join(ROOT, folder, "make-test.log")
    open(log, "w", encoding="utf-8").close()
    configured = os.path.exists(os.path.join(ROOT, folder, "build.ninja"))
    if not (configured or run(["meson", "setup", folder, *options], env, log)) \
            or not run(["ninja", "-C", folder, "-j", JOBS], env, log):
        tail(log)
        print("   the build fails: %s" % log)
        return [0, 1, 0]
    built = time.monotonic() - start
    records = os.path.join(ROOT, folder, "meson-logs", "testlog.json")
    if os.path.exists(records):
        os.remove(records)
    run(["meson", "test", "-C", folder, "--no-rebuild", "--print-errorlogs",
         "--num-processes", JOBS, *arguments], env, log)
    if not os.path.exists(records):
        tail(log)
        return [0, 1, 0]
    with open(records, encoding="utf-8") as f:
        total, bad = count([json.loads(line) for line in f])
    if bad:
        tail(log, 200)
    print("   %d passed, %d failed, %d skipped (build %.0f s, tests %.0f s)%s"
          % (*total, built, time.monotonic() - start - built,
             "; failed: " + ", ".join(bad) if bad else ""), flush=True)
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="one build folder of: " + ", ".join(b[0] for b in BUILDS))
    args = parser.parse_args()
    total = [0, 0, 0]
    for build in BUILDS:
        if args.only in (None, build[0]):
            total = [a + b for a, b in zip(total, one_build(*build))]
    if total == [0, 0, 0]:
        total[1] = 1  # nothing ran: that is no success
    print("%d passed, %d failed, %d skipped" % tuple(total))
    sys.exit(1 if total[1] else 0)


if __name__ == "__main__":
    main()
