# SPDX-License-Identifier: BSD-3-Clause
"""Checkpoints of Debian's kernel at work: whatever is saved and restored ends as if it had not
been."""

import os
import random
import shutil
import signal

import pytest

from boot.computer import QUIET, Computer, content

# What it prints depends on what happens in between: time, scheduling, random numbers, memory.
SCRIPT = """
echo BOOTED
for i in 1 2 3 4 5 6 7 8; do
  (cat /proc/uptime; head -c 100000 /dev/urandom | md5sum; echo "child $i") &
  sleep 0.05
done
wait
grep -E 'timer|LOC|RES' /proc/interrupts
find /sys/devices -name uevent | sort | md5sum
echo DONE
"""
MEMORY = ["--mem", "192MiB"]


class Whole:
    """A boot from beginning to end, with checkpoints on its way."""

    def __init__(self, folder, vmlinuz, ramdisk, cpus, *words):
        self.words = ["--kernel", vmlinuz, "--initrd", ramdisk(SCRIPT), "--append", QUIET,
                      "--cpus", cpus, *MEMORY]
        self.run = Computer(folder).boot(*self.words, "--checkpoint-at", "console:BOOTED",
                                         "--checkpoint-at", "console:DONE", *words)
        assert self.run.code == 0 and len(self.run.checkpoints) == 2, self.run.stderr
        self.booted, self.done = self.run.checkpoints

    def console_behind(self, text):
        return self.run.console[self.run.console.index(text) + len(text):]


@pytest.fixture(name="whole", scope="session")
def _whole(tmp_path_factory, vmlinuz, ramdisk):
    """whole(cpus): one boot for all tests."""
    made = {}

    def get(cpus):
        if cpus not in made:
            made[cpus] = Whole(tmp_path_factory.mktemp("whole"), vmlinuz, ramdisk, cpus)
        return made[cpus]
    return get


def insts_of(checkpoint):
    return int(os.path.basename(checkpoint))


def chain(computer, points, start, end):
    """Runs from `start` (words of facet boot, or a checkpoint), saved and restored in a new process
    at each of the points, to the checkpoint at `end` and on to the guest's end. Returns the whole
    console, the last run and the checkpoint at `end`."""
    console, previous, at_end = "", None, None
    for point in [*points, end]:
        words = ["--checkpoint-at", point, "--max-insts", point]
        first = computer.boot(*start, *words) if isinstance(start, list) \
            else computer.restore(start, *words)
        assert first.code == 124 and len(first.checkpoints) == 1, first.stderr
        console += first.console
        if previous:
            shutil.rmtree(previous)  # space, and proof that it is not needed
        start = previous = at_end = first.checkpoints[0]
    last = computer.restore(start)
    return console + last.console, last, at_end


def check_chain(computer, whole, start, first, average):
    """With about `average` instructions between two points behind `first`."""
    seed = random.randrange(1 << 32)
    end = insts_of(whole.done)
    print("seed", seed)  # pytest shows it when the test fails
    choose = random.Random(seed)
    points = sorted(choose.sample(range(first + 1, end), (end - first) // average))
    console, last, at_end = chain(computer, points, start, end)
    expected = whole.run.console if isinstance(start, list) else whole.console_behind("BOOTED")
    assert console == expected
    assert {**last.outcome, "console": ""} == {**whole.run.outcome, "console": ""}
    # every register, every device, every byte of memory
    assert content(at_end) == content(whole.done)


@pytest.mark.parametrize("cpus", [1, 2])
def test_a_busy_guest_that_is_cut_at_random_points_is_the_same(computer, whole, cpus):
    w = whole(cpus)
    check_chain(computer, w, w.booted, insts_of(w.booted), 25_000_000)


def test_a_boot_that_is_cut_at_random_points_is_the_same(computer, whole):
    w = whole(2)
    check_chain(computer, w, w.words, 0, 150_000_000)


@pytest.mark.nightly
@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_a_boot_that_is_cut_every_few_million_instructions_is_the_same(computer, whole, cpus):
    w = whole(cpus)
    check_chain(computer, w, w.words, 0, 4_000_000)


@pytest.mark.nightly
@pytest.mark.parametrize("cpus", [1, 2])
def test_a_busy_guest_that_is_cut_very_often_is_the_same(computer, whole, cpus):
    w = whole(cpus)
    check_chain(computer, w, w.booted, insts_of(w.booted), 400_000)


def test_a_checkpoint_is_restored_twice_side_by_side(computer, whole):
    w = whole(2)
    runs = [computer.start("restore", w.booted) for _ in range(2)]
    for run in map(computer.finish, runs):
        assert run.console == w.console_behind("BOOTED")
        assert {**run.outcome, "console": ""} == {**w.run.outcome, "console": ""}


def test_a_checkpoint_at_a_text_is_taken_when_it_has_come(whole):
    w = whole(1)
    again = Computer(os.path.dirname(w.run.folder))
    again.count = 100
    run = again.restore(w.booted, "--max-time", "1ms")  # in the past
    assert run.code == 124 and run.console == ""
    assert 0 < insts_of(w.booted) < insts_of(w.done) < w.run.status["insts"]


def test_a_chain_of_incremental_checkpoints(computer, whole):
    w = whole(1)
    first, end = insts_of(w.booted), insts_of(w.done)
    step = (end - first) // 6
    run = computer.restore(w.booted, "--checkpoint-every", step, "--checkpoint-incremental")
    assert {**run.outcome, "console": ""} == {**w.run.outcome, "console": ""}
    assert len(run.checkpoints) >= 6
    assert all(insts_of(c) % step == 0 for c in run.checkpoints)

    def size(path):
        return os.path.getsize(os.path.join(path, "memory.pack"))

    assert all(size(c) < size(run.checkpoints[0]) / 2 for c in run.checkpoints[1:])
    # the family moves together
    moved = os.path.join(computer.folder, "moved")
    shutil.move(os.path.dirname(run.checkpoints[0]), moved)
    for checkpoint in (run.checkpoints[2], run.checkpoints[-1]):
        again = computer.restore(os.path.join(moved, os.path.basename(checkpoint)))
        assert w.run.console.endswith(again.console)
        assert {**again.outcome, "console": ""} == {**w.run.outcome, "console": ""}


def test_a_checkpoint_on_request_and_then_the_end_on_request(computer, vmlinuz, ramdisk):
    started = computer.start(
        "boot", "--kernel", vmlinuz, "--append", QUIET, *MEMORY, "--initrd",
        ramdisk("echo UP\nwhile true; do sleep 1; echo tick; done"))
    process = started[0]
    assert process.stdout.readline().strip() == "UP"
    for _ in range(2):
        process.send_signal(signal.SIGUSR1)
        assert "facet: checkpoint '" in process.stderr.readline()
        assert process.stdout.readline().strip() == "tick"
    process.send_signal(signal.SIGTERM)
    run = computer.finish(started)
    assert (run.code, run.status["end"]) == (143, "stopped")
    saved = sorted(os.listdir(os.path.join(run.folder, "checkpoints")))
    assert len(saved) == 2
    again = computer.restore(os.path.join(run.folder, "checkpoints", saved[1]), "--max-time", "10s")
    assert again.code == 124 and again.console.count("tick") >= 4


def test_a_panic_is_noticed_when_its_line_is_cut_by_a_checkpoint(computer, vmlinuz, ramdisk):
    words = ["--kernel", vmlinuz, "--append", QUIET, "--initrd", ramdisk("exit 0", tail=""), *MEMORY]
    run = computer.boot(*words, "--checkpoint-at", "console:Kernel panic - not")
    assert run.code == 121 and len(run.checkpoints) == 1
    again = computer.restore(run.checkpoints[0])
    assert {**again.outcome, "console": ""} == {**run.outcome, "console": ""}
    assert again.stderr == "".join(line for line in run.stderr.splitlines(True)
                                   if not line.startswith("facet: checkpoint"))
