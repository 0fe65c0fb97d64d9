#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs programs natively and under facet, and compares what they say, leave and return.

    run.py --facet build/facet [--tier TIER]... [--section S]... [NAME...]

The cases are in cases.list. Output is TAP: a test for each run under facet. Comments give the CPU
time of both runs, the instructions under facet and its speed.
"""

import argparse
import fnmatch
import hashlib
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from difflib import unified_diff

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases  # noqa: E402

# What `facet exec` gives a guest; the native run gets the same.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/", "LANG": "C.UTF-8"}
SHELL = "/bin/sh"


class Outcome:
    """What one run said, left and returned."""

    def __init__(self, status, out, err, tree, seconds, info):
        self.status, self.out, self.err, self.tree = status, out, err, tree
        self.seconds, self.info = seconds, info


def snapshot(top, ignore):
    """The files below `top`: type, mode, size, content, so that two runs can be compared."""
    rows = []
    for folder, dirs, files in os.walk(top):
        dirs.sort()
        for name in sorted(dirs + files):
            path = os.path.join(folder, name)
            shown = os.path.relpath(path, top)
            if any(fnmatch.fnmatch(shown, pattern) for pattern in ignore):
                continue
            info = os.lstat(path)
            row = "%s %s" % (shown, stat.filemode(info.st_mode))
            if stat.S_ISLNK(info.st_mode):
                row += " -> " + os.readlink(path)
            elif stat.S_ISREG(info.st_mode):
                with open(path, "rb") as f:
                    row += " %d %s" % (info.st_size, hashlib.sha256(f.read()).hexdigest()[:16])
            rows.append(row)
    return sorted(rows)


def read_bytes(path):
    with open(path, "rb") as f:
        return f.read()


def prepare(case, work, built):
    """Makes the folder of a run: the guest files that the command names, and what was built."""
    os.mkdir(work)
    for name in case.files():
        os.makedirs(os.path.dirname(os.path.join(work, name)), exist_ok=True)
        shutil.copy(os.path.join(cases.GUESTS, name), os.path.join(work, name))
    for path in built:
        shutil.copy(path, work)
    for folder, _, files in os.walk(work):
        for name in files:
            os.utime(os.path.join(folder, name), (10**9, 10**9))


def default_signals():
    """What a shell in the background ignores is not for the programs."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def execute(argv, work, base, timeout, tag):
    """Runs argv in `work` with the small environment. Returns (status or None, CPU seconds)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(os.path.join(base, tag + ".out"), "wb") as out, \
            open(os.path.join(base, tag + ".err"), "wb") as err:
        child = subprocess.Popen(argv, cwd=work, env={**ENVIRONMENT, "PWD": work}, stdout=out,
                                 stderr=err, stdin=subprocess.DEVNULL, start_new_session=True,
                                 umask=0o022, preexec_fn=default_signals)
        try:
            status = child.wait(timeout)
        except subprocess.TimeoutExpired:
            status = None
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()
    if status is not None and status < 0:
        status = 128 - status  # as facet exec and shells say it
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return status, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def without_sentence(err, info):
    """Standard error without the sentence of facet on the signal that ended the program."""
    if info.get("end") != "killed":
        return err
    return b"".join(line for line in err.splitlines(True) if not line.startswith(b"facet: "))


def one_run(case, base, built, facet, timeout):
    """One run: natively if facet is None, else with that command line before the program."""
    work = os.path.join(base, "work")
    argv = [SHELL, "-c", case.command]
    tag, status_file = "native", os.path.join(base, "status.json")
    if facet:
        tag = "facet"
        argv = [facet[0], "exec", "--status-file", status_file, "--env", "PWD=" + work,
                *facet[1:], "--", *argv]
    prepare(case, work, built)
    status, seconds = execute(argv, work, base, timeout, tag)
    info = {}
    if facet and os.path.exists(status_file):
        info = json.loads(read_bytes(status_file))
        os.remove(status_file)
    patterns = [w for w in case.ignore if w not in ("stdout", "stderr")]
    result = Outcome(status, read_bytes(os.path.join(base, tag + ".out")),
                     without_sentence(read_bytes(os.path.join(base, tag + ".err")), info),
                     snapshot(work, patterns), seconds, info)
    subprocess.run(["chmod", "-R", "u+rwx", work], check=False)
    shutil.rmtree(work)
    return result


def show_difference(what, native, facet, limit=24):
    def lines(data):
        if isinstance(data, bytes):
            data = data.decode("utf-8", "backslashreplace").splitlines()
        return [line[:300] for line in data]
    diff = list(unified_diff(lines(native), lines(facet), what + ", native", what + ", facet",
                             lineterm="", n=1))
    return diff[:limit] + (["..."] if len(diff) > limit else [])


def differences(case, native, facet):
    """What differs, as lines of text; empty if nothing does."""
    found = []
    if facet.status is None:
        found.append("not done in time under facet")
    elif native.status != facet.status:
        found.append("exit status %s natively, %s under facet" % (native.status, facet.status))
    if facet.info.get("end", "exited") not in ("exited", "killed"):
        found.append("facet: %s" % json.dumps(facet.info))
    for what, a, b in (("stdout", native.out, facet.out), ("stderr", native.err, facet.err)):
        if a != b and what not in case.ignore:
            found += show_difference(what, a, b)
    if native.tree != facet.tree:
        found += show_difference("files", native.tree, facet.tree)
    return found


def build(case, base):
    """Compiles what the case wants, natively. Returns (paths, what is wrong)."""
    paths = []
    for source, *flags in case.build:
        name = os.path.splitext(os.path.basename(source))[0]
        if flags and flags[0].startswith("NAME="):
            name = flags.pop(0)[5:]
        compiler = "g++" if source.endswith((".cc", ".cpp")) else "gcc"
        target = os.path.join(base, name)
        done = subprocess.run([compiler, os.path.join(cases.GUESTS, source), *flags, "-o", target],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            return paths, done.stdout.decode(errors="replace")
        paths.append(target)
    return paths, ""


def missing_packages(wanted):
    """Which of these Debian packages are not installed."""
    if not wanted:
        return set()
    listing = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    rows = (row.split() for row in listing.stdout.decode().splitlines())
    return set(wanted) - {row[0] for row in rows if row[1] == "installed"}


class Tap:
    """Counts and prints test results."""

    def __init__(self):
        self.count = self.failed = 0

    def result(self, good, name, note="", comments=()):
        self.count += 1
        self.failed += not good and "# TODO" not in note
        print("%s %d - %s%s" % ("ok" if good else "not ok", self.count, name, note))
        for line in comments:
            print("# " + line)
        sys.stdout.flush()


def timing(native, facet):
    insts = facet.info.get("insts", 0)
    return "CPU time: native %.2f s, facet %.2f s; %.1f M instructions, %.0f MIPS" % (
        native.seconds, facet.seconds, insts / 1e6, insts / 1e6 / max(facet.seconds, 1e-3))


def options_of(vary):
    """'cpus=2,traced' -> ['--cpus', '2', '--traced']"""
    return [part for word in vary.split(",") if word for part in ("--" + word).split("=", 1)]


def run_case(case, args, missing, tap):
    names = [(vary, "%s [%s]" % (case.name, vary) if vary else case.name)
             for vary in ["", *case.vary]]
    lacks = [package for package in case.needs if package in missing]
    if lacks:
        for _, name in names:
            tap.result(True, name, " # SKIP package %s is not installed" % ", ".join(lacks))
        return
    with tempfile.TemporaryDirectory(prefix="facet-programs.") as base:
        os.mkdir(os.path.join(base, "built"))
        built, wrong = build(case, os.path.join(base, "built"))
        native = None if wrong else one_run(case, base, built, None, args.native_timeout)
        if native and native.status is None:
            wrong = "not done in time natively"
        for vary, name in names:
            if wrong:
                tap.result(False, name, "", wrong.splitlines()[:20])
                continue
            facet = one_run(case, base, built, [args.facet, *options_of(vary), *args.option],
                            case.timeout * args.slower)
            bad = differences(case, native, facet)
            tap.result(not bad, name, " # TODO " + case.todo if case.todo else "",
                       [*bad, timing(native, facet)])


# ---- natively only, for comparing two systems (tests/boot)

def record(chosen, missing, args):
    """Writes how each case ends here to a file; paths are the same wherever this runs."""
    base, rows = "/tmp/facet-programs.record", {}
    for case in chosen:
        if missing.intersection(case.needs):
            continue
        print(case.name, flush=True)
        shutil.rmtree(base, ignore_errors=True)
        os.makedirs(os.path.join(base, "built"))
        built, wrong = build(case, os.path.join(base, "built"))
        run = Outcome(wrong, b"", b"", [], 0, {}) if wrong else \
            one_run(case, base, built, None, args.native_timeout)
        rows[case.name] = {"status": run.status, "out": run.out.decode("latin-1"),
                           "err": run.err.decode("latin-1"), "tree": run.tree}
    with open(args.record, "w", encoding="ascii") as f:
        json.dump(rows, f)
    return not rows


def recorded(row):
    """The outcome that `record` wrote."""
    return Outcome(row["status"], row["out"].encode("latin-1"), row["err"].encode("latin-1"),
                   row["tree"], 0, {})


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facet", help="the program facet")
    parser.add_argument("--tier", action="append", help="only cases of this tier")
    parser.add_argument("--section", action="append", help="only cases of this section")
    parser.add_argument("--option", action="append", default=[],
                        help="a further option of facet exec, as --option=--traced")
    parser.add_argument("--slower", type=float, default=1, help="multiplies the time limits")
    parser.add_argument("--native-timeout", type=float, default=120)
    parser.add_argument("--record", metavar="FILE", help="run natively only; outcomes go to FILE")
    parser.add_argument("--page", action="store_true", help="print docs/reference/programs.md")
    parser.add_argument("--check-page", metavar="FILE", help="fail if FILE is not that page")
    parser.add_argument("name", nargs="*", help="only these cases (patterns)")
    args = parser.parse_args()
    if args.page:
        print(cases.page(), end="")
        return 0
    tap = Tap()
    if args.check_page:
        with open(args.check_page, encoding="utf-8") as f:
            tap.result(f.read() == cases.page(), "docs/reference/programs.md is up to date", "",
                       ["tests/programs/run.py --page > docs/reference/programs.md"])
        print("1..1")
        return tap.failed
    chosen = [case for case in cases.read()[1]
              if (not args.tier or case.tier in args.tier)
              and (not args.section or case.section in args.section)
              and (not args.name or any(fnmatch.fnmatch(case.name, n) for n in args.name))]
    missing = missing_packages(sorted({package for case in chosen for package in case.needs}))
    if args.record:
        return record(chosen, missing, args)
    args.facet = os.path.abspath(args.facet or parser.error("--facet is missing"))
    for case in chosen:
        run_case(case, args, missing, tap)
    if not chosen and not args.name:
        print("1..0 # SKIP no such case")
        return 0
    print("1..%d" % tap.count)
    return tap.failed > 0 or tap.count == 0


if __name__ == "__main__":
    sys.exit(main())
