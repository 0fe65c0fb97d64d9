# SPDX-License-Identifier: BSD-3-Clause
"""facet boot --gdb: Debian's gdb, and a client that speaks the protocol badly, on a bare guest
(guest.c, start.S) with two CPUs. The expectations come from the guest's source."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
FACET = os.environ.get("FACET", os.path.join(HERE, "..", "..", "build", "facet"))

pytestmark = pytest.mark.skipif(not shutil.which("gdb"), reason="needs the package gdb")


@pytest.fixture(name="guest", scope="session")
def _guest(tmp_path_factory):
    path = tmp_path_factory.mktemp("guest") / "guest"
    subprocess.run(
        ["gcc", "-g", "-O0", "-w", "-nostdlib", "-static", "-ffreestanding", "-fno-pic", "-no-pie",
         "-mno-red-zone", "-fcf-protection=none", "-fno-stack-protector",
         "-Wl,--build-id=none,-z,max-page-size=4096,--no-warn-rwx-segments",
         "-T", os.path.join(HERE, "guest.ld"), "-o", path,
         os.path.join(HERE, "start.S"), os.path.join(HERE, "guest.c")], check=True)
    return path


class Run:
    """A facet that waits for a debugger."""

    def __init__(self, guest, where, *options):
        self.process = subprocess.Popen(
            [FACET, "boot", "--kernel", guest, "--cpus", "2", "--mem", "16MiB", "--gdb", where,
             "--wait-gdb", *map(str, options)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        self.address = re.search(r"connect to (\S+?);", line).group(1)

    def connect(self):
        if self.address.startswith("unix:"):
            client = socket.socket(socket.AF_UNIX)
            client.connect(self.address[len("unix:"):])
        else:
            client = socket.create_connection(self.address.split(":"))
        client.settimeout(30)
        return client

    def status(self):
        self.process.communicate(timeout=60)
        return self.process.returncode

    def close(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture(name="start")
def _start(guest, tmp_path):
    runs = []

    def start(*options, where=None):
        runs.append(Run(guest, where or "unix:%s" % (tmp_path / "gdb"), *options))
        return runs[-1]
    yield start
    for run in runs:
        run.close()


@pytest.fixture(name="gdb")
def _gdb(guest, start):
    """gdb(commands...) returns what gdb said and the exit status of facet."""
    def gdb(*commands, options=(), where=None):
        run = start(*options, where=where)
        words = ["gdb", "-q", "-nx", "-batch", "-ex", "set pagination off", "-ex",
                 "set confirm off", "-ex",
                 "target remote " + run.address.replace("unix:", "")]
        for command in commands:
            words += ["-ex", command]
        done = subprocess.run([*words, guest], capture_output=True, text=True, timeout=120,
                              stdin=subprocess.DEVNULL, check=False)
        return done.stdout + done.stderr, run.status()
    return gdb


def values(text):
    """What `print` printed."""
    return re.findall(r"^\$\d+ = (.*)$", text, re.MULTILINE)


def test_break_step_and_registers(gdb):
    text, status = gdb(
        "p $cr0", "break work", "continue", "backtrace", "p $cr4", "p $efer", "p/x $fs_base",
        "p/x $k_gs_base", "p/x $cr3 == &level4", "delete", "tbreak tick", "continue", "p n",
        "next", "p counter", "next", "p ratio", "p $xmm0.v2_double[0]", "finish",
        "p $rip == $pc", "stepi", "p $eflags", "continue")
    assert "hit Breakpoint 1, work ()" in text
    assert re.search(r"#1 .* in main \(\)", text)
    got = values(text)
    assert got[:6] == ["[ PE ET ]", "[ PAE OSFXSR OSXMMEXCPT ]", "[ LME LMA ]", "0x123456789abc",
                       "0xffff800000001000", "0x1"]
    assert got[6:11] == ["1", "1", "0.5", "0.5", "1"]
    assert "exited normally" in text
    assert status == 0


def test_writes_are_watched(gdb):
    text, status = gdb("watch counter", *["continue"] * 4, "delete", "continue")
    assert re.findall(r"Old value = (\d+)\nNew value = (\d+)", text) == [
        ("0", "1"), ("1", "3"), ("3", "6"), ("6", "10")]
    assert status == 0


def test_reads_are_watched(gdb):
    text, _ = gdb("rwatch read_often", "awatch total", *["continue"] * 4, "kill")
    assert re.findall(r"hit Hardware (\S+ )", text) == ["read ", "access ", "access ", "read "]
    assert "Value = 7" in text and "Old value = 0\nNew value = 7" in text


def test_any_number_of_watchpoints(gdb):
    watches = ["watch bytes[%d]" % i for i in range(0, 32, 2)]
    text, status = gdb("break finish", "continue", "p $rip = (void *)main",
                       "set var go = 1", "set var counter = 0", "set var second_counter = 1000",
                       *["set var bytes[%d] = %d" % (i + 32, i + 1) for i in range(32)],
                       "delete", *watches, *["continue"] * 16, "delete", "continue")
    assert re.findall(r"New value = (\d+)", text) == [str(i + 1) for i in range(0, 32, 2)]
    assert status == 0


def test_each_cpu_is_a_thread(gdb):
    text, status = gdb("break second_main", "continue", "info threads", "p $_thread", "delete",
                       "set scheduler-locking on", "tbreak 38", "p second_counter",
                       "thread 1", "p $rip", "thread 2", *["next"] * 4, "p second_counter",
                       "thread 1", "p $rip", "set scheduler-locking off", "continue")
    assert "Thread 2 \"cpu1\" hit Breakpoint 1, second_main" in text
    assert len(re.findall(r'Thread [12] "cpu[01]" \(running\)', text)) == 2
    thread, before, rip, after, rip_after = values(text)[:5]
    assert thread == "2" and rip == rip_after
    assert int(before) == 0 and int(after) > 0
    assert status == 0


def test_written_memory_counts(gdb):
    text, status = gdb("break finish", "continue", "p counter", "set var counter = 33", "continue")
    assert values(text) == ["55"]
    assert "exited with code 041" in text
    assert status == 33


def test_written_code_is_executed(gdb):
    # tick returns at once
    text, status = gdb("set var *(unsigned char *)tick = 0xc3", "continue")
    assert status == 0x00
    assert "exited normally" in text


def test_the_guest_cannot_see_breakpoints(gdb):
    plain, _ = gdb("break finish", "continue", "p checksum", "kill")
    broken, _ = gdb("break tick", "tbreak reader", "break finish", "ignore 1 100", "continue",
                    "continue", "p checksum", "p $_gdb_setting(\"breakpoint always-inserted\")",
                    "kill")
    assert values(plain)[0] == values(broken)[0] != "0"


def test_stops_change_nothing(guest, gdb, tmp_path):
    subprocess.run([FACET, "boot", "--kernel", guest, "--cpus", "2", "--mem", "16MiB",
                    "--stats-file", tmp_path / "plain.txt"], check=True,
                   stdin=subprocess.DEVNULL, timeout=60)
    expected = (tmp_path / "plain.txt").read_text()
    for commands in [["detach"],
                     ["break tick", "watch ratio", "watch bytes[7]", "break second_main", *["continue"] * 8,
                      "stepi 5", "delete", "continue"]]:
        gdb(*commands, options=["--stats-file", tmp_path / "debugged.txt"])
        assert (tmp_path / "debugged.txt").read_text() == expected


def test_code_in_real_mode(gdb):
    text, status = gdb("hbreak *0x8000", "continue", "p $_thread", "p/x $cs", "p/x $rip", "delete",
                       "continue")
    assert "SIGTRAP" in text
    assert values(text) == ["2", "0x800", "0x0"]
    assert status == 0


def test_detached_guests_go_on(gdb):
    text, status = gdb("break tick", "continue", "detach")
    assert "hit Breakpoint 1" in text
    assert status == 0


def test_killed(gdb):
    _, status = gdb("break tick", "continue", "kill")
    assert status == 137


def test_control_registers_are_checked_as_for_the_guest(gdb):
    text, _ = gdb("break work", "continue", "p $k_gs_base = 1l << 62", "p $rax = 0x1122334455667788",
                  "p $xmm3.uint128 = 5", "p $fs_base = 0x5000", "p $eflags = 0x246", "p $cr4",
                  "info registers rax fs_base", "p $xmm3.uint128", "p $ss = 3", "kill")
    assert text.count("Could not write register") == 2
    assert "[ PAE OSFXSR OSXMMEXCPT ]" in values(text)
    assert re.search(r"rax +0x1122334455667788", text)


def test_a_checkpoint_of_a_stopped_guest_goes_on(gdb, facet, tmp_path):
    text, status = gdb("break finish", "continue", "monitor checkpoint %s" % (tmp_path / "saved"),
                       "set var counter = 1", "continue")
    assert "saved in" in text
    assert status == 1
    assert facet("restore", tmp_path / "saved").returncode == 0


def test_monitor_commands(gdb):
    text, _ = gdb("monitor help", "monitor info", "monitor stats pc.cpu0.", "monitor regs",
                  "monitor physical on", "x/2wx 0x100000", "monitor physical off", "monitor x",
                  "monitor checkpoint", "kill")
    assert "monitor stats" in text and "CPU 1:" in text and "pc.cpu0.numInsts" in text
    assert "gdtr" in text and "addresses are physical: on" in text and "0x1badb002" in text
    assert "no such command" in text


def test_a_tcp_port(gdb):
    text, status = gdb("break work", "continue", "delete", "continue", where="0")
    assert "hit Breakpoint 1" in text
    assert status == 0


# ---- the protocol itself


def packet(data):
    return b"$" + data + b"#%02x" % (sum(data) & 0xff)


def ask(client, data):
    """One packet in acknowledged mode; returns the answer's data."""
    client.sendall(packet(data))
    return answer(client)


def answer(client):
    got = b""
    while not re.search(rb"\$([^#]*)#[0-9a-f]{2}", got):
        more = client.recv(4096)
        assert more, got
        got += more
    with contextlib.suppress(BrokenPipeError): # after a kill
        client.sendall(b"+")
    return re.search(rb"\$([^#]*)#", got).group(1)


def test_an_interrupt_stops_the_guest(start):
    run = start()
    with run.connect() as client:
        assert ask(client, b"?") == b"T02thread:1;"
        # an endless loop at 0x7000
        assert ask(client, b"M7000,2:ebfe") == b"OK"
        assert ask(client, b"P10=0070000000000000") == b"OK"
        client.sendall(packet(b"c"))
        time.sleep(0.2)
        client.sendall(b"\x03")
        assert answer(client).startswith(b"T02thread:1;")
        assert ask(client, b"p10") == b"0070000000000000"
        client.sendall(packet(b"k"))
    assert run.status() == 137


def test_bad_packets(start):
    run = start()
    with run.connect() as client:
        client.sendall(b"\x03\x03+--junk$m0,4#00")
        assert client.recv(1) == b"-"
        client.sendall(b"$half$g#zz")
        assert client.recv(1) == b"-"
        client.sendall(b"$m" + b"0" * 100000 + b"#00")
        assert client.recv(1) == b"-"
        assert ask(client, b"vMustReplyEmpty") == b""
        for bad in [b"m", b"m,", b"mffffffffffffffffff,1", b"m0,1,2", b"Hx", b"Hg9", b"T9", b"T",
                    b"p", b"pffff", b"P1", b"P1=00", b"Z9,0,1", b"Z2,0,0", b"Z0,0", b"z0,0,1",
                    b"vCont;x", b"vCont;s:7", b"vContx", b"qRcmd,0", b"qThreadExtraInfo,0x", b"G0",
                    b"Z2,ffffffffffffffff,2", b"M0,4:00", b"X0,4:0", b"qXfer:features:read:a:0,1"]:
            assert ask(client, bad)[:1] == b"E", bad
        assert ask(client, b"m20000000,10") == b"E14"
        assert ask(client, b"qXfer:features:read:target.xml:fffffff,ffffffff") == b"l"
        assert ask(client, b"X7000,3:}\x03}]}\x04").startswith(b"OK")
        assert ask(client, b"m7000,3") == b"237d24"
        assert ask(client, b"D") == b"OK"
    assert run.status() == 0


def test_clients_come_and_go(start):
    run = start()
    with run.connect() as client:
        assert ask(client, b"Z0,100000,1") == b"OK"
        assert ask(client, b"M7000,2:ebfe") == b"OK"
        assert ask(client, b"P10=0070000000000000") == b"OK"
        client.sendall(packet(b"c"))
        with run.connect() as second: # one at a time
            assert second.recv(1) == b""
    with run.connect() as client: # the guest has run meanwhile, and stops for the new one
        assert ask(client, b"?") == b"T02thread:1;"
        assert ask(client, b"p10") == b"0070000000000000"
        assert ask(client, b"vKill;1") == b"OK"
    assert run.status() == 137


@pytest.mark.parametrize("words", [
    ["--wait-gdb"], ["--gdb", "x"], ["--gdb", "65536"], ["--gdb", "unix:"], ["--gdb", ""],
    ["--gdb", "unix:" + "x" * 200], ["--gdb", "unix:/nowhere/at/all"]],
    ids=lambda words: "-".join(words)[:40])
def test_bad_options(facet, guest, words):
    result = facet("boot", "--kernel", guest, "--mem", "16MiB", *words)
    assert result.returncode == 125
    assert len([line for line in result.stderr.splitlines() if line.startswith("facet: ")]) == 1
