# SPDX-License-Identifier: BSD-3-Clause
"""Debian's kernel at work while its CPUs change between all models."""

import pytest

from boot.computer import Computer

# Checks itself, and prints nothing that depends on the time.
SCRIPT = """
echo BOOTED
i=0
while [ $i -lt %d ]; do
  (seq 1 300 | sort -r | md5sum) &
  seq 1 300 | awk '{ s += $1 * $1 } END { print s }'
  wait
  i=$((i + 1))
done
nproc
dmesg | grep -i -E 'oops|warning|lockup|unstable|rcu.*stall'
echo DONE
"""
QUIET = "console=ttyS0 panic=-1 quiet printk.time=0"
MACHINE = ["--machine", "zen5@1.0"]


class Booted:
    """A computer that is about to work, as a checkpoint, and what it prints when nothing changes."""

    def __init__(self, folder, vmlinuz, initrd, cpus):
        run = Computer(folder).boot("--kernel", vmlinuz, "--initrd", initrd, "--append", QUIET,
                                    "--cpus", cpus, "--mem", "192MiB", "--checkpoint-at",
                                    "console:BOOTED")
        assert run.code == 0 and len(run.checkpoints) == 1, run.stderr
        self.checkpoint = run.checkpoints[0]
        self.console = run.console[run.console.index("BOOTED") + len("BOOTED"):]
        assert "DONE" in self.console


@pytest.fixture(name="booted", scope="module")
def _booted(tmp_path_factory, vmlinuz, ramdisk):
    made = {}

    def get(cpus, rounds):
        if (cpus, rounds) not in made:
            made[cpus, rounds] = Booted(tmp_path_factory.mktemp("booted"), vmlinuz,
                                        ramdisk(SCRIPT % rounds), cpus)
        return made[cpus, rounds]
    return get


def lines(console):
    """The output of jobs beside each other comes in any order."""
    return sorted(console.split())


def check(computer, booted, *words):
    run = computer.restore(booted.checkpoint, *MACHINE, *words)
    assert run.code == 0, run.stderr
    assert lines(run.console) == lines(booted.console)
    return run


def test_a_kernel_works_on_each_model(computer, booted):
    for model in ["timing", "o3"]:
        run = check(computer, booted(1, 1), "--cpu", model)
        assert "system.cpu0.%s.committedInsts" % model in run.file("stats.txt")


def test_a_kernel_notices_no_change_of_models(computer, booted):
    check(computer, booted(1, 1), "--switch-every", "100us")
    check(computer, booted(2, 1), "--switch-every", "10us")


@pytest.mark.nightly
@pytest.mark.parametrize("cpus", [1, 2, 4])
@pytest.mark.parametrize("period", ["1ms", "100us", "1us", "3insts"])
def test_a_kernel_notices_no_change_of_models_for_long(computer, booted, cpus, period):
    check(computer, booted(cpus, 3), "--switch-every", period)


@pytest.mark.nightly
def test_a_whole_boot_notices_no_change_of_models(computer, vmlinuz, ramdisk):
    words = ["--kernel", vmlinuz, "--initrd", ramdisk(SCRIPT % 2), "--append", QUIET, "--cpus", "2"]
    still = computer.boot(*words)
    run = computer.boot(*words, *MACHINE, "--cpu", "functional", "--switch-every", "1ms")
    assert (run.code, lines(run.console)) == (0, lines(still.console)), run.stderr
