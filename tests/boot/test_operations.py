# SPDX-License-Identifier: BSD-3-Clause
"""Operations for the simulator that guests ask for (gem5's m5 ops), in their three forms."""

import pytest

FORMS = ["BY_PORT", "BY_INSN", "BY_LOAD"]
pytestmark = pytest.mark.parametrize("form", FORMS)

EXIT, FAIL, SUM, READ, WRITE, PANIC = 0x21, 0x22, 0x23, 0x50, 0x4f, 0x54
RESET, DUMP, DUMP_RESET, CHECKPOINT = 0x40, 0x41, 0x42, 0x43


def call(form, function, *args):
    # The port form needs EDX for the port, so arguments come first and EDX is not one of them.
    return "ARGS %s\n%s 0x%x\n" % (", ".join(map(str, args)), form, function)


def test_exit_is_success(computer, program, form):
    run = computer.boot("--kernel", program(call(form, EXIT)))
    assert (run.code, run.status["end"], run.stderr) == (0, "exited", "")


def test_fail_gives_its_code(computer, program, form):
    run = computer.boot("--kernel", program(call(form, FAIL, 0, 42)))
    assert (run.code, run.status["end"]) == (42, "exited")


def test_panic_is_one(computer, program, form):
    run = computer.boot("--kernel", program(call(form, PANIC)))
    assert (run.code, run.status["end"]) == (121, "panic")


def test_sum_adds_its_arguments(computer, program, form):
    # EDX is 0xe4 for the port
    expected = 3 + 20 + 100 + (0xe4 if form == "BY_PORT" else 0x10)
    run = computer.boot("--kernel", program(
        call(form, SUM, 3, 20, 0x10, 100) + "mov edx, 0xf4\nout dx, eax"))
    assert run.status["status"] == expected
    assert run.code == min(expected, 255)


def test_statistics_are_dumped_and_reset(computer, program, form):
    loop = "mov ecx, 1000\n1: dec ecx\njnz 1b\n"
    run = computer.boot("--kernel", program(
        loop + call(form, RESET) + loop + call(form, DUMP_RESET) + loop + loop + call(form, DUMP) +
        "EXIT 0"))
    text = run.file("stats.txt")
    assert text.count("Begin Simulation Statistics") == 3
    insts = [int(line.split()[1]) for line in text.splitlines() if line.startswith("simInsts")]
    assert 2000 <= insts[0] < 2020 and 4000 <= insts[1] < 4040 and 4000 <= insts[2] < 4060


def test_a_checkpoint_goes_on_behind_the_operation(computer, program, form):
    run = computer.boot("--kernel", program(
        'PRINT "before"\n' + call(form, CHECKPOINT) + 'PRINT "after"\nEXIT 5'))
    assert run.code == 5 and run.console == "before\nafter\n"
    assert len(run.checkpoints) == 1
    again = computer.restore(run.checkpoints[0])
    assert again.console == "after\n" and again.checkpoints == []
    assert again.outcome == {**run.outcome, "console": "after\n"}


def test_an_unknown_operation_fails_and_is_told(computer, program, form):
    run = computer.boot("--kernel", program(
        "ARGS\n%s 0x7f\ncmp eax, -1\nsete al\nmovzx eax, al\nmov edx, 0xf4\nout dx, eax" % form))
    assert run.code == 1
    assert "operation 0x7f for the simulator, which facet does not have" in run.stderr


def test_a_guest_reads_the_file_that_it_is_given(computer, program, form, tmp_path):
    given = tmp_path / "given"
    given.write_bytes(b"abcdefgh" * 600)  # over a page
    words = 'ARGS "offset buffer", 6000, 0, 0\n'
    if form == "BY_PORT":
        pytest.skip("the offset in the file is EDX, which is the port's")
    run = computer.boot("--guest-file", given, "--kernel", program(
        words + "%s 0x%x\ncmp eax, 4800\njne 1f\nmov eax, [buffer + 4796]\ncmp eax, 0x68676665\n"
        "jne 1f\nEXIT 3\n1: EXIT 4" % (form, READ)))
    assert run.code == 3


def test_a_guest_writes_files_into_the_folder_it_is_given(computer, program, form, tmp_path):
    if form == "BY_PORT":
        pytest.skip("the offset in the file is EDX, which is the port's")
    folder = tmp_path / "out"
    folder.mkdir()
    run = computer.boot("--guest-folder", folder, "--kernel", program("""
        jmp 2f
    3:  .asciz "name"
    4:  .asciz "../evil"
    5:  .ascii "content"
    2:  ARGS "offset 5b", 7, 0, "offset 3b"
        %s 0x%x
        push eax
        ARGS "offset 5b", 7, 0, "offset 4b"
        %s 0x%x
        pop ebx
        sub ebx, eax # 7 - -1
        mov eax, ebx
        mov edx, 0xf4
        out dx, al""" % (form, WRITE, form, WRITE)))
    assert run.code == 8
    assert [p.name for p in folder.iterdir()] == ["name"]
    assert (folder / "name").read_bytes() == b"content"
    assert not (tmp_path / "evil").exists()


def test_without_files_given_reading_and_writing_fail(computer, program, form):
    run = computer.boot("--kernel", program("""
        jmp 2f
    3:  .asciz "name"
    2:  ARGS "offset buffer", 7, 0, "offset 3b"
        %s 0x%x
        inc eax # -1 + 1
        push eax
        ARGS "offset buffer", 7, 0, 0
        %s 0x%x
        pop ebx
        or eax, ebx
        mov edx, 0xf4
        out dx, eax""" % (form, WRITE, form, READ)))
    assert run.code == 0
