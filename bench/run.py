#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""How fast: native, qemu-x86_64 (Debian's qemu-user) and facet, side by side in one run.

Every program does a number of equal rounds; a column's figure is (time of N rounds - time of none)
/ N, so that start-up does not count (it has a line of its own). Times are processor time. N is chosen
for each column, so that a run takes about --seconds; the fastest of --repeat runs counts. Every
run's output is compared with the native one's: a wrong result ends the benchmark.

Then whole computers, beside qemu-system-x86_64 (boot.py); as a program it is called "boot".
"""

import argparse
import functools
import json
import math
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zlib

import boot

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OWN = ["integer", "branchy", "chase", "stream", "float", "sse", "avx2", "string", "recursion",
       "matrix", "sort", "interpreter"]
PYTHON_ROUND = """
import sys, json
def round_of_work():
    sieve = bytearray([1]) * 6000
    for i in range(2, 78):
        if sieve[i]:
            sieve[i * i::i] = bytes(len(range(i * i, 6000, i)))
    table = {}
    for i in range(6000):
        table[i * 7919 % 4099] = table.get(i % 97, 0) + sieve[i] * i
    text = json.dumps(sorted(table.items()))
    words = text.replace('[', ' ').split(', ')
    return sum(len(w) for w in words) + sum(x * y for x, y in json.loads(text)) % 1000003
sums = {round_of_work() for n in range(int(sys.argv[1]))}
assert len(sums) <= 1
print(*sums)
"""
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/"}


Wrong = boot.Wrong


def make_text(path):
    """A compressible file of 200 kB, always the same."""
    words = [b"%d%s" % (zlib.crc32(b"%d" % i) % 997, b" lorem ipsum dolor"[:i % 18])
             for i in range(20000)]
    with open(path, "wb") as f:
        f.write(b" ".join(words)[:200000])


def workloads(build, folder, only):
    """name -> function from rounds to a command."""
    text = os.path.join(folder, "text")
    make_text(text)
    found = {name: (lambda n, p=os.path.join(build, "bench/programs", name): [p, str(n)])
             for name in OWN}
    found["gzip"] = lambda n: ["/usr/bin/gzip", "-6", "-n", "-c", *([text] * n or ["/dev/null"])]
    found["python3"] = lambda n: ["/usr/bin/python3", "-S", "-E", "-c", PYTHON_ROUND, str(n)]
    unknown = sorted(set(only or []) - set(found) - {"boot"})
    if unknown:
        sys.exit("bench: no program '%s'; there are %s and boot" % (unknown[0], ", ".join(found)))
    return {name: found[name] for name in found if not only or name in only}


def cpu_seconds():
    """Processor time of all children so far, which other load on the host hardly changes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Column:
    """One way to run a command."""

    def __init__(self, name, prefix, status=None):
        self.name, self.prefix, self.status = name, prefix, status

    def run(self, command, clock=cpu_seconds):
        """Seconds of `clock`, standard output."""
        start = clock()
        done = subprocess.run([*self.prefix, *command], env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                              capture_output=True, check=False)
        seconds = clock() - start
        if done.returncode:
            raise Wrong("%s: %s: exit status %d: %s" % (self.name, command[0], done.returncode,
                                                        done.stderr.decode(errors="replace").strip()))
        return seconds, done.stdout

    def insts(self):
        """Instructions of the last run, for facet."""
        with open(self.status, encoding="utf-8") as f:
            return json.load(f)["insts"]


def columns(args, folder):
    status = os.path.join(folder, "status.json")
    found = [Column("native", [])]
    qemu = shutil.which("qemu-x86_64")
    if qemu:
        found.append(Column("qemu", [qemu, "-cpu", "max"]))
    else:
        print("no qemu-x86_64 (package qemu-user): its column is left out", file=sys.stderr)
    if args.facet:
        facet = [os.path.abspath(args.facet), "exec", "--status-file", status]
        found.append(Column("plain", [*facet, "--"], status))
        found.append(Column("traced", [*facet, "--traced", "--"], status))
        if args.models:
            machine = [*facet, "--machine", args.machine]
            found.append(Column("warm", [*machine, "--cpu", "functional", "--warm", "--"], status))
            found.append(Column("timing", [*machine, "--cpu", "timing", "--"], status))
            found.append(Column("o3", [*machine, "--cpu", "o3", "--"], status))
    return found


def measure(column, make, expected, args):
    """{seconds: of one round, rounds, insts: of one round or None}."""
    def best(n, repeat):
        runs = []
        for _ in range(repeat):
            seconds, output = column.run(make(n))
            if output != expected(n):
                raise Wrong("%s: %s: wrong output for %d rounds" % (column.name, make(n)[0], n))
            runs.append(seconds)
        return min(runs), column.insts() if column.status else 0
    idle, idle_insts = best(0, args.repeat)
    rounds, (seconds, insts) = 1, best(1, 1)
    wanted = args.seconds / (4 if column.name == "native" else 1)
    if seconds - idle < 0.7 * wanted:
        rounds = min(max(1, round(wanted / max(seconds - idle, 1e-3))), 400)
    if rounds > 1 or args.repeat > 1:
        again, insts = best(rounds, args.repeat if seconds < 4 * args.seconds else 1)
        seconds = again if rounds > 1 else min(again, seconds)
    return {"seconds": max(seconds - idle, 1e-6) / rounds, "rounds": rounds,
            "insts": (insts - idle_insts) / rounds if column.status else None}


def measure_program(name, make, cols, args):
    """A row: name, insts, and for each column its measurement."""
    row, native = {"program": name}, cols[0]

    @functools.lru_cache(maxsize=None)
    def expected(rounds):
        return native.run(make(rounds))[1]
    for column in cols:
        row[column.name] = measure(column, make, expected, args)
    row["insts"] = row.get("plain", {}).get("insts")
    for column in cols:
        cell = row[column.name]
        cell["ratio"] = cell["seconds"] / row["native"]["seconds"]
        cell["mips"] = row["insts"] / cell["seconds"] / 1e6 if row["insts"] else None
    return row


def geomean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def cell_text(cell, with_ratio):
    text = "%9.2f" % (cell["seconds"] * 1e3)
    if with_ratio:
        text += " %7.1fx" % cell["ratio"]
    if cell["mips"] is not None:
        text += " %7.0f" % cell["mips"]
    return text


def header(cols, has_insts):
    line = "%-12s" % "program"
    for column in cols:
        line += " |%9s" % (column.name + " ms")
        line += "" if column.name == "native" else " %8s" % "ratio"
        line += " %7s" % "MIPS" if has_insts else ""
    return line


def print_row(row, cols):
    print("%-12s" % row["program"] + "".join(" |" + cell_text(row[c.name], c.name != "native")
                                             for c in cols), flush=True)


def startup(cols, repeat):
    """Elapsed seconds of /bin/true."""
    return {c.name: min(c.run(["/bin/true"], time.perf_counter)[0]
                        for _ in range(max(repeat, 9))) for c in cols}


def peak_memory(column):
    """Resident kilobytes, at their most, of /bin/cat that has copied a line."""
    with subprocess.Popen([*column.prefix, "/bin/cat"], env=ENVIRONMENT, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, bufsize=0) as process:
        process.stdin.write(b"line\n")
        process.stdout.read(5)
        with open("/proc/%d/status" % process.pid, encoding="utf-8") as f:
            peak = next(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))
        process.stdin.close()
    return peak


def bench_programs(args, folder):
    """The table of programs, and what follows from it, printed as it comes."""
    cols, rows = columns(args, folder), []
    print(header(cols, bool(args.facet)))
    for name, make in workloads(args.build, folder, args.programs).items():
        rows.append(measure_program(name, make, cols, args))
        print_row(rows[-1], cols)
    start = startup(cols, args.repeat)
    memory = {c.name: peak_memory(c) for c in cols}
    means = {c.name: geomean([row[c.name]["ratio"] for row in rows]) for c in cols}
    print("geometric mean of the ratios: "
          + ", ".join("%s %.1fx" % (c.name, means[c.name]) for c in cols[1:]))
    print("start-up of /bin/true: "
          + ", ".join("%s %.1f ms" % (c.name, start[c.name] * 1e3) for c in cols))
    print("peak memory of /bin/cat: "
          + ", ".join("%s %.1f MiB" % (c.name, memory[c.name] / 1024) for c in cols))
    return {"rows": rows, "geomean": means, "startup_seconds": start, "peak_kib": memory}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", nargs="*", help="only these")
    parser.add_argument("--facet", help="the program; without it only native and qemu")
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--seconds", type=float, default=1.2)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--models", action="store_true", help="also the CPU models with timing")
    parser.add_argument("--machine", default="zen5@1.0", help="of these; default: %(default)s")
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    found = {"schema_version": 1, "cpu": cpu_name(), "kernel": platform.release(),
             "date": time.strftime("%Y-%m-%d")}
    print("%s, %s, %s; processor time of one round, the fastest of %d runs"
          % (found["date"], found["cpu"], found["kernel"], args.repeat))
    with tempfile.TemporaryDirectory() as folder:
        try:
            if args.programs != ["boot"]:
                found.update(bench_programs(args, folder))
            if args.facet and (not args.programs or "boot" in args.programs):
                found["boot"] = boot.measure(args.facet, args.repeat, folder)
        except Wrong as wrong:
            sys.exit("bench: %s" % wrong)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(found, f, indent=2)
            f.write("\n")


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        return next(line.split(":")[1].strip() for line in f if line.startswith("model name"))


if __name__ == "__main__":
    main()
