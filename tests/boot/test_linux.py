# SPDX-License-Identifier: BSD-3-Clause
"""Debian's kernel, as its package has it, on facet's PC."""

import re

import pytest

from boot.computer import QUIET

LOUD = "console=ttyS0 panic=-1"
BAD = r"BUG:|WARNING:|Oops|lockup|Call Trace|rcu.*stall|failed to report alive|tsc: Marking"
CHECK = """
echo "cpus $(nproc)"
dmesg | grep -c . >/tmp/lines
dmesg | grep -E '%s' && echo TROUBLE
echo "checked $(cat /tmp/lines | wc -c)"
""" % BAD


def assert_booted(run, cpus):
    assert run.code == 0 and run.status["end"] == "power-off", run.stderr + run.console[-2000:]
    assert run.stderr == ""
    assert "cpus %d\n" % cpus in run.console
    assert "checked" in run.console and "TROUBLE" not in run.console, run.console
    assert not re.search(BAD, run.console), run.console


@pytest.mark.parametrize("cpus", [1, 2, 4, 8])
def test_it_boots_with_all_cpus_and_without_trouble(linux, cpus):
    run = linux(CHECK, "--cpus", cpus, append=LOUD)
    assert_booted(run, cpus)
    assert "Linux version" in run.console and "Power down" in run.console


@pytest.mark.parametrize("cpus", [1, 4])
def test_two_boots_are_the_same(linux, cpus):
    runs = [linux(CHECK, "--cpus", cpus) for _ in range(2)]
    assert runs[0].outcome == runs[1].outcome


@pytest.mark.nightly
@pytest.mark.parametrize("words", [
    ["--cpus", "16"], ["--cpus", "64", "--mem", "1GiB"], ["--mem", "6GiB"], ["--mem", "96MiB"],
    ["--cpuid", "x86-64-v1"], ["--cpuid", "x86-64-v2"], ["--quantum", "1000", "--cpus", "4"],
    ["--quantum", "200000", "--cpus", "4"], ["--clock", "3GHz"], ["--clock", "500MHz"],
    ["--seed", "7"], ["--set", "pc.has_hpet=false"], ["--set", "pc.uart0.char_ticks=87us"],
], ids=" ".join)
def test_it_boots_on_other_machines(linux, words):
    cpus = int(words[words.index("--cpus") + 1]) if "--cpus" in words else 1
    assert_booted(linux(CHECK, *words), cpus)


@pytest.mark.nightly
@pytest.mark.parametrize("append", ["nolapic_timer", "notsc", "clocksource=acpi_pm", "nohpet",
                                    "nopti nokaslr", "nohz=off", "idle=poll", "clocksource=hpet",
                                    "noapic", "nosmp", "nox2apic", "tsc=unstable", "hpet=disable"])
def test_it_boots_in_other_ways(linux, append):
    """With the TSC switched off, saying so is no trouble."""
    run = linux(CHECK.replace("|tsc: Marking", "") if "tsc" in append else CHECK,
                append=QUIET + " " + append)
    assert run.code == 0 and "cpus 1\n" in run.console and "TROUBLE" not in run.console


@pytest.mark.nightly
def test_without_acpi_it_boots_but_cannot_switch_itself_off(linux):
    run = linux(CHECK, append=QUIET + " acpi=off")
    assert (run.code, run.status["end"]) == (123, "deadlock")
    assert "cpus 1\n" in run.console and "TROUBLE" not in run.console
    assert "System halted" in run.console


def test_a_kernel_that_is_told_to_use_fewer_cpus_is_noticed(linux):
    run = linux("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done", "--cpus", 4, append=QUIET + " nr_cpus=2")
    assert run.code == 126 and run.status["idle_cpus"] == 2
    assert "has not started 2 of its 4 CPUs" in run.stderr
    assert run.complaints[-1].startswith("the guest never started 2 of its CPUs")


def test_a_panic_is_an_end_with_registers_and_console(linux):
    run = linux("exit 0", tail="")
    assert (run.code, run.status["end"]) == (121, "panic")
    assert run.complaints[0] == "the guest's kernel panicked: Attempted to kill init! " \
                                "exitcode=0x00000000"
    assert "cpu0: rip=ffffffff" in run.stderr and "cr3=" in run.stderr
    assert "    | " in run.stderr and "Kernel panic - not syncing" in run.stderr


def test_a_missing_root_is_a_panic(computer, vmlinuz):
    run = computer.boot("--kernel", vmlinuz, "--append", QUIET)
    assert run.code == 121 and "Unable to mount root fs" in run.complaints[0]


def test_reboot_ends_the_run(linux):
    run = linux("reboot -f", "--cpus", 2)
    assert (run.code, run.status["end"]) == (0, "reset")


def test_halt_ends_the_run(linux):
    run = linux("halt -f", "--cpus", 2, "--max-time", "100s")
    assert (run.code, run.status["end"]) == (123, "deadlock")


def test_a_kernel_that_spins_is_stuck(linux, computer):
    """sysrq-c crashes; with panic=0 the kernel then spins for ever, and what it said went where
    nobody looks."""
    run = linux("echo GO >/dev/ttyS0; echo c >/proc/sysrq-trigger", "--max-time", "1s",
                "--checkpoint-at", "console:GO", append="console=ttyS1 panic=0 quiet")
    assert run.code == 124 and len(run.checkpoints) == 1
    again = computer.restore(run.checkpoints[0], "--stuck-after", "300ms", "--max-time", "10s")
    assert again.code == 123 and again.complaints[0].startswith("the guest is stuck")
    assert "cpu0: rip=ffffffff" in again.stderr


def test_a_kernel_that_works_and_waits_is_not_stuck(linux):
    run = linux("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 5; echo awake",
                "--stuck-after", "2s", "--max-time", "60s")
    assert run.code == 0 and "awake" in run.console


def test_the_clock_of_the_guest_is_that_of_the_simulation(linux):
    run = linux("cat /proc/uptime; sleep 2; cat /proc/uptime")
    before, after = (float(m) for m in re.findall(r"^([\d.]+) [\d.]+$", run.console, re.M))
    assert 2.0 <= after - before <= 2.2
    assert after <= run.status["ticks"] / 1e12 <= after + 0.5


# ---- bad input, with a real kernel

def test_too_little_memory_is_told_or_the_kernel_panics(computer, vmlinuz, ramdisk):
    run = computer.boot("--kernel", vmlinuz, "--initrd", ramdisk(""), "--mem", "16MiB")
    assert run.code == 125 and len(run.complaints) == 1 and "memory" in run.complaints[0]


@pytest.mark.parametrize("part", [0.001, 0.3, 0.99])
def test_half_a_kernel_is_refused(computer, vmlinuz, tmp_path, part):
    with open(vmlinuz, "rb") as f:
        content = f.read()
    (tmp_path / "vmlinuz").write_bytes(content[:int(len(content) * part)])
    run = computer.boot("--kernel", tmp_path / "vmlinuz")
    assert run.code == 125 and run.console == "" and len(run.complaints) == 1
    assert str(tmp_path / "vmlinuz") in run.complaints[0]
    assert "truncated" in run.complaints[0]


def test_an_initial_ram_disk_that_is_none(computer, vmlinuz, tmp_path):
    (tmp_path / "initrd").write_bytes(b"no archive at all\n" * 1000)
    run = computer.boot("--kernel", vmlinuz, "--initrd", tmp_path / "initrd", "--append", QUIET)
    assert run.code == 125 and run.console == ""
    assert len(run.complaints) == 1 and "neither a cpio archive" in run.complaints[0]


def test_a_truncated_initial_ram_disk_is_the_kernels_to_tell(computer, vmlinuz, ramdisk, tmp_path):
    (tmp_path / "initrd").write_bytes(ramdisk("").read_bytes()[:1000000])
    run = computer.boot("--kernel", vmlinuz, "--initrd", tmp_path / "initrd", "--append", QUIET)
    assert run.code == 121 and "Kernel panic" in run.console
