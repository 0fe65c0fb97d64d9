# SPDX-License-Identifier: BSD-3-Clause
"""Programs of this Debian run inside Debian's kernel on facet's PC: they print what they print
natively."""

import io
import os
import random
import subprocess
import sys
import zipfile

import pytest

from boot.computer import QUIET

COMMANDS = """
bash -c 'for i in {1..300}; do a[i%17]=$((a[i%17]+i*i)); done; echo "${a[@]}"; false | true; echo ${PIPESTATUS[@]}'
sort words | sha256sum
sort -k2,2n -k1,1 numbers | tail -n 3
sort --parallel=2 -u words | wc
gzip -9n <words | sha256sum
gzip -c words | gzip -dc | cmp - words && echo same
perl -e 'my %h; open F, "words"; while (<F>) { $h{length $_}++ } print map { "$_:$h{$_} " } sort { $a <=> $b } keys %h; print "\\n"'
perl -e '$| = 1; printf "%.17g %.17g %.17g\\n", sqrt(2), sin(1e22), exp(1) ** 33; print 2 ** 64, " ", 7 % -3, "\\n"; kill 9, $$'
perl -e 'my $n = fork; if (!$n) { exit 7 } waitpid $n, 0; print $? >> 8, "\\n"; $SIG{ALRM} = sub { print "alarm\\n"; exit 3 }; alarm 1; sleep 9'
python3 -c 'import re, json; print(sum(i * i for i in range(1000)), 3 ** 200, json.dumps({"a": [1, 2.5, None]}), re.sub("a(.)", r"\\1", "abac"))'
python3 -c 'import threading; l = []; t = [threading.Thread(target=l.append, args=(i,)) for i in range(20)]; [x.start() for x in t]; [x.join() for x in t]; print(sorted(l))'
python3 -c 'raise SystemExit(5)'
bash -c 'exec 3<>/dev/null; trap "echo caught" USR1; kill -USR1 $$; kill -TERM $$'
"""
PROGRAMS = ["/usr/bin/bash", "/usr/bin/sort", "/usr/bin/sha256sum", "/usr/bin/gzip",
            "/usr/bin/perl", "/usr/bin/python3", "/usr/bin/tail", "/usr/bin/wc"]


def python_library():
    """What an import from a zip file can find, for Python's own zip of that name."""
    folder = os.path.dirname(io.__file__)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            if name.endswith(".py"):
                z.write(path, name)
        for package in ("collections", "encodings", "importlib", "json", "re"):
            for name in sorted(os.listdir(os.path.join(folder, package))):
                if name.endswith(".py"):
                    z.write(os.path.join(folder, package, name), package + "/" + name)
    return out.getvalue()


def data():
    choose = random.Random(1)
    words = "".join("%s\n" % "".join(choose.choices("abcdefghij", k=choose.randrange(1, 9)))
                    for _ in range(8000))
    numbers = "".join("%c %d\n" % (choose.randrange(97, 123), choose.randrange(10**6))
                      for _ in range(3000))
    return {"words": words.encode(), "numbers": numbers.encode()}


def script(folder):
    lines = ["cd " + folder]
    for command in COMMANDS.strip().splitlines():
        lines += [command + " 2>/dev/null", 'echo "= $?"']
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("cpus", [1, pytest.param(2, marks=pytest.mark.nightly)])
def test_programs_print_what_they_print_natively(computer, vmlinuz, ramdisk, tmp_path, cpus):
    missing = [p for p in PROGRAMS if not os.path.exists(p)]
    if missing:
        pytest.skip("this host has no " + ", ".join(missing))
    if os.path.realpath(sys.executable) != os.path.realpath("/usr/bin/python3"):
        pytest.skip("needs Debian's own Python")
    native = tmp_path / "data"
    native.mkdir()
    for name, text in data().items():
        (native / name).write_bytes(text)
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/", "LANG": "C.UTF-8"}
    expected = subprocess.run(["/usr/bin/bash", "-c", script(str(native))],
                              env=environment, capture_output=True, text=True, check=True).stdout
    files = {"/data/" + name: text for name, text in data().items()}
    files["/usr/lib/python3%d.zip" % sys.version_info.minor] = python_library()
    files["/script"] = script("/data").encode()
    run = computer.boot(
        "--kernel", vmlinuz, "--append", QUIET, "--cpus", cpus, "--initrd",
        ramdisk("echo BEGIN\nbash /script 2>/dev/null\necho END", programs=PROGRAMS, files=files))
    assert run.code == 0, run.stderr
    got = run.console.split("BEGIN\n")[1].split("END\n")[0]
    assert got.replace(str(native), "/data") == expected
