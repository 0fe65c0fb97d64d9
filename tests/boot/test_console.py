# SPDX-License-Identifier: BSD-3-Clause
"""The terminal is the guest's console: a shell in the guest, typed to through a pseudo-terminal."""

import fcntl
import os
import pty
import select
import subprocess
import termios
import time

import pytest

from boot.computer import FACET, QUIET, TIMEOUT

SHELL = "exec setsid sh -c 'exec sh </dev/ttyS0 >/dev/ttyS0 2>&1'\n"
ESCAPE = b"\x1d"  # Ctrl-]


class Terminal:
    """facet with a terminal of its own."""

    def __init__(self, *words):
        self.master, slave = pty.openpty()
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen([FACET, *map(str, words)], stdin=slave, stdout=slave,
                                        stderr=slave, start_new_session=True,
                                        preexec_fn=self.take)
        self.text = b""

    @staticmethod
    def take():
        """Makes it the controlling terminal of the new session."""
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def expect(self, text):
        """Waits until the screen shows the text behind what was expected before."""
        end = time.monotonic() + TIMEOUT
        while text not in self.text:
            assert time.monotonic() < end, self.text
            if select.select([self.master], [], [], 1)[0]:
                self.text += os.read(self.master, 65536)
            else:
                assert self.process.poll() is None, self.text
        self.text = self.text[self.text.index(text) + len(text):]

    def type(self, text):
        os.write(self.master, text)

    def end(self):
        while self.process.poll() is None:
            if select.select([self.master], [], [], 0.1)[0]:
                self.text += os.read(self.master, 65536)
        assert termios.tcgetattr(self.slave) == self.before
        os.close(self.master)
        os.close(self.slave)
        return self.process.returncode

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.process.pid, encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def terminal(vmlinuz, ramdisk):
    made = []

    def boot(*words):
        t = Terminal("boot", "--kernel", vmlinuz, "--append", QUIET, "--initrd",
                     ramdisk("stty -F /dev/ttyS0 -echo 2>/dev/null\necho READY\n" + SHELL), *words)
        made.append(t)
        return t
    yield boot
    for t in made:
        t.process.kill()
        t.process.wait()


def test_a_shell_in_the_guest(terminal):
    t = terminal("--cpus", 2)
    t.expect(b"Ctrl-] ends facet")
    t.expect(b"READY")
    t.expect(b"# ")
    t.type(b"echo $((6 * 7))x\r")
    t.expect(b"42x")
    t.type(b"cat\r")  # Ctrl-C is the guest's
    t.type(b"line\r")
    t.expect(b"line")
    t.type(b"\x04")
    t.expect(b"# ")
    lines = b"".join(b"echo %d >>/tmp/lines\r" % i for i in range(200))  # faster than it can read
    t.type(lines + b"md5sum </tmp/lines\r")
    expected = subprocess.run(["md5sum"], input=b"".join(b"%d\n" % i for i in range(200)),
                              capture_output=True, check=True).stdout.split()[0]
    t.expect(expected)
    # it waits without burning the host
    before = t.cpu_seconds()
    time.sleep(4)
    assert t.cpu_seconds() - before < 2
    t.type(b"poweroff -f\r")
    assert t.end() == 0


def test_the_escape_key_ends_facet(terminal):
    t = terminal()
    t.expect(b"READY")
    t.type(ESCAPE)
    assert t.end() == 130
    assert b"facet: " in t.text


def test_the_escape_key_ends_a_guest_that_does_nothing(program):
    t = Terminal("boot", "--kernel", program('PRINT "halted"\nsti\n1: hlt\njmp 1b'))
    t.expect(b"halted")
    time.sleep(0.3)
    assert t.process.poll() is None  # a key could wake it
    t.type(ESCAPE)
    assert t.end() == 130


def test_a_terminal_that_goes_away_ends_facet(terminal):
    t = terminal()
    t.expect(b"READY")
    os.close(t.slave)
    os.close(t.master)
    assert t.process.wait(TIMEOUT) in (129, 130)
