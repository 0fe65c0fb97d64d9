# SPDX-License-Identifier: BSD-3-Clause
"""How runs end, shown with bare-metal kernels: each end has a reason and an exit code
(docs/decisions/0006-boot-exit-codes.md)."""

import signal
import time

import pytest


def end(run):
    return run.status["end"], run.code


@pytest.mark.parametrize("value, code", [(0, 0), (1, 1), (7, 7), (255, 255)])
def test_the_exit_port_ends_the_run_with_the_value(computer, program, value, code):
    run = computer.boot("--kernel", program("EXIT %d" % value))
    assert end(run) == ("exited", code)
    assert run.complaints == (["the guest ended the run with %d" % value] if value else [])


def test_a_value_beyond_a_byte_does_not_become_success(computer, program):
    run = computer.boot("--kernel", program("PORT32 0xf4, 0x100"))
    assert end(run) == ("exited", 255)
    assert run.status["status"] == 0x100


def test_acpi_switches_the_machine_off(computer, program):
    run = computer.boot("--kernel", program('PRINT "off"\nPOWER_OFF'))
    assert end(run) == ("power-off", 0)
    assert run.console == "off\n" and run.stderr == ""


@pytest.mark.parametrize("how", ["PORT8 0xcf9, 2\nPORT8 0xcf9, 6", "PORT8 0x64, 0xfe"],
                         ids=["register", "keyboard controller"])
def test_a_guest_that_resets_the_machine_ends_the_run(computer, program, how):
    run = computer.boot("--kernel", program(how))
    assert end(run) == ("reset", 0)
    assert run.status["reason"] == "the guest reset itself"


def test_a_triple_fault_shows_registers_and_console(computer, program):
    run = computer.boot("--kernel", program('PRINT "last words"\nmov ebx, 0x1234abcd\nud2'))
    assert end(run) == ("shutdown", 122)
    assert run.complaints == ["triple fault on CPU 0"]
    assert "rbx=000000001234abcd" in run.stderr and "ud2" in run.stderr
    assert "    | last words\n" in run.stderr


def test_halted_for_ever_ends_the_run(computer, program):
    run = computer.boot("--kernel", program('PRINT "bye"\ncli\n1: hlt\njmp 1b'))
    assert end(run) == ("deadlock", 123)
    assert run.complaints[0].startswith("all CPUs wait for interrupts")
    assert "cpu0: halted" in run.stderr and "    | bye\n" in run.stderr


# What a timer would raise does not matter to who does not take interrupts.
def test_halted_with_interrupts_off_is_for_ever_while_a_timer_runs(computer, program):
    run = computer.boot("--max-time", "100s", "--kernel", program("""
        PORT8 0x43, 0x34 # PIT counter 0: rate generator
        PORT8 0x40, 0
        PORT8 0x40, 0
        cli
        hlt"""))
    assert end(run) == ("deadlock", 123)


def test_an_instruction_limit_is_exact(computer, program):
    run = computer.boot("--kernel", program("1: jmp 1b"), "--max-insts", "123456")
    assert end(run) == ("limit", 124)
    assert run.status["insts"] == 123456
    assert len(run.complaints) == 1


def test_a_time_limit_is_exact(computer, program):
    run = computer.boot("--kernel", program("1: jmp 1b"), "--max-time", "3ms")
    assert end(run) == ("limit", 124)
    assert run.status["ticks"] == 3 * 10**9


@pytest.mark.parametrize("name, code", [("SIGTERM", 143), ("SIGINT", 130), ("SIGHUP", 129)])
def test_a_signal_stops_facet(computer, program, name, code):
    started = computer.start("boot", "--kernel", program('PRINT "running"\n1: jmp 1b'))
    assert started[0].stdout.readline() == "running\n"
    started[0].send_signal(getattr(signal, name))
    run = computer.finish(started)
    assert end(run) == ("stopped", code)
    assert run.status["status"] == getattr(signal, name)
    assert "hostSeconds" not in run.file("stats.txt") and "simInsts" in run.file("stats.txt")


def test_a_request_for_a_checkpoint_does_not_hide_a_request_to_stop(computer, program):
    started = computer.start("boot", "--kernel", program('PRINT "running"\n1: jmp 1b'))
    assert started[0].stdout.readline() == "running\n"
    started[0].send_signal(signal.SIGSTOP)
    time.sleep(0.1)  # both wait when it goes on
    for name in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCONT):
        started[0].send_signal(name)
    assert end(computer.finish(started)) == ("stopped", 143)


def test_the_panic_device_ends_the_run(computer, program):
    run = computer.boot("--kernel", program('PRINT "oh"\nPORT8 0x505, 1'))
    assert end(run) == ("panic", 121)
    assert "    | oh\n" in run.stderr


# ---- CPUs that the guest does not start

START_ALL = """
    mov dword ptr [0x8000], 0xfdebf4 # hlt; jmp back
    mov dword ptr [0xfee00300], 0xc4500 # INIT to all others
    mov dword ptr [0xfee00300], 0xc4608 # start-up at 0x8000
    mov ecx, 50000
1:  pause
    dec ecx
    jnz 1b
"""


@pytest.mark.parametrize("way", ["POWER_OFF", "EXIT 0", "PORT8 0x64, 0xfe"])
def test_cpus_that_were_never_started_are_a_failure(computer, program, way):
    run = computer.boot("--kernel", program(way), "--cpus", 4)
    assert run.code == 126 and run.status["exit_code"] == 126
    assert run.status["idle_cpus"] == 3
    assert run.complaints == ["the guest never started 3 of its CPUs "
                              "(--allow-idle-cpus accepts that)"]


def test_cpus_that_were_never_started_may_be_allowed(computer, program):
    run = computer.boot("--kernel", program("POWER_OFF"), "--cpus", 4, "--allow-idle-cpus")
    assert run.code == 0 and run.stderr == "" and run.status["idle_cpus"] == 3


def test_an_end_that_says_more_keeps_its_code(computer, program):
    assert computer.boot("--kernel", program("EXIT 3"), "--cpus", 2).code == 3
    assert computer.boot("--kernel", program("ud2"), "--cpus", 2).code == 122


def test_started_cpus_are_no_failure_also_behind_a_checkpoint(computer, program):
    kernel = program(START_ALL + "POWER_OFF")
    run = computer.boot("--kernel", kernel, "--cpus", 4, "--checkpoint-at", "60k")
    assert run.code == 0 and "idle_cpus" not in run.status
    assert computer.restore(run.checkpoints[0]).outcome == run.outcome


# ---- no progress

SPIN = "1: pause\njmp 1b"


def test_a_guest_that_spins_is_stuck(computer, program):
    run = computer.boot("--kernel", program('PRINT "going"\n' + SPIN), "--stuck-after", "5ms")
    assert end(run) == ("deadlock", 123)
    assert run.complaints[0].startswith("the guest is stuck")
    assert "    | going\n" in run.stderr and "cpu0: rip=" in run.stderr
    assert 5 * 10**9 <= run.status["ticks"] < 6 * 10**9


def test_polling_a_device_that_never_answers_is_stuck(computer, program):
    run = computer.boot("--kernel", program("1: mov edx, 0x3fe\nin al, dx\ntest al, 1\njz 1b"),
                        "--stuck-after", "5ms", "--max-time", "1s")
    assert end(run) == ("deadlock", 123)


def test_timers_are_no_progress(computer, program):
    run = computer.boot("--kernel", program("1: PORT8 0x43, 0\nPORT8 0x20, 0x20\nPORT8 0x80, 0\njmp 1b"),
                        "--stuck-after", "5ms", "--max-time", "1s")
    assert end(run) == ("deadlock", 123)


@pytest.mark.parametrize("act", ["PORT8 0x3f8, 'x'", "mov dword ptr [0xe0000040], 0",
                                 "ARGS\nBY_INSN 0x23"], ids=["port", "PCI", "operation"])
def test_a_device_that_is_written_is_progress(computer, program, act):
    run = computer.boot("--kernel", program("""
        mov ebx, 4
    1:  %s
        mov ecx, 4000000 # 4 ms
    2:  dec ecx
        jnz 2b
        dec ebx
        jnz 1b
        EXIT 9""" % act), "--stuck-after", "5ms", "--max-time", "1s")
    assert end(run) == ("exited", 9)


def test_a_cpu_that_spins_while_others_are_idle_is_stuck(computer, program):
    run = computer.boot("--kernel", program(START_ALL + "2: jmp 2b"), "--cpus", 3, "--stuck-after",
                        "5ms", "--max-time", "1s")
    assert end(run) == ("deadlock", 123)


def test_a_guest_that_waits_for_a_timer_is_not_stuck(computer, program):
    """A PIT interrupt after 50 ms ends the wait."""
    run = computer.boot("--kernel", program("""
        jmp 3f
    idt: .skip 0x21 * 8
    idtr: .word 0x21 * 8 - 1
          .long idt
    tick: EXIT 9
    3:  mov eax, offset tick
        mov word ptr [idt + 0x20 * 8], ax
        shr eax, 16
        mov word ptr [idt + 0x20 * 8 + 6], ax
        mov word ptr [idt + 0x20 * 8 + 2], cs
        mov word ptr [idt + 0x20 * 8 + 4], 0x8e00
        lidt [idtr]
        PORT8 0x20, 0x11
        PORT8 0x21, 0x20
        PORT8 0x21, 4
        PORT8 0x21, 1
        PORT8 0x21, 0xfe
        PORT8 0x43, 0x30 # once
        PORT8 0x40, 0x10
        PORT8 0x40, 0xe9
        sti
    4:  hlt
        jmp 4b"""), "--stuck-after", "5ms", "--max-time", "1s")
    assert end(run) == ("exited", 9) and run.status["ticks"] > 40 * 10**9


def test_a_restored_guest_is_stuck_at_the_same_instruction(computer, program):
    kernel = program('PRINT "going"\n' + SPIN)
    run = computer.boot("--kernel", kernel, "--stuck-after", "5ms", "--checkpoint-at", "3ms")
    again = computer.restore(run.checkpoints[0], "--stuck-after", "5ms")
    assert again.outcome == {**run.outcome, "console": ""}


def test_a_description_says_what_the_board_has(computer, program, tmp_path):
    config = tmp_path / "machine.yaml"
    config.write_text("pc: {cpus: 3}\n")
    words = ["--kernel", program("EXIT 0"), "--config", config, "--allow-idle-cpus"]
    stats = computer.boot(*words).file("stats.txt")
    assert "pc.cpu2.numInsts" in stats and "pc.cpu3.numInsts" not in stats
    # the command line wins
    stats = computer.boot(*words, "--cpus", "2").file("stats.txt")
    assert "pc.cpu1.numInsts" in stats and "pc.cpu2.numInsts" not in stats
