# SPDX-License-Identifier: BSD-3-Clause
"""Reads cases.list: which programs are run natively and under facet. Its head explains the format."""

import os
import re
from dataclasses import dataclass, field

HERE = os.path.dirname(os.path.abspath(__file__))
GUESTS = os.path.join(HERE, "guests")
TIERS = ("quick", "full", "nightly")
LISTS = {"vary", "needs", "ignore", "build"}  # directives that may be repeated and hold words
TEXTS = {"todo", "timeout"}


@dataclass
class Case:
    """One entry of cases.list."""

    name: str
    tier: str
    about: str
    section: str
    line: int
    command: str = ""
    vary: list = field(default_factory=list)     # further runs: options of facet exec
    needs: list = field(default_factory=list)    # Debian packages
    ignore: list = field(default_factory=list)   # stdout, stderr, or patterns of produced files
    build: list = field(default_factory=list)    # lists of words: source file, compiler options
    todo: str = ""                               # why facet does not do this yet
    timeout: float = 300

    def files(self):
        """Files below guests/ that the command names."""
        words = re.findall(r"[\w./+-]+", self.command)
        return sorted({w for w in words if "/" in w[1:] and w[0] not in "/." and os.path.isfile(os.path.join(GUESTS, w))})


def _fail(number, text):
    raise SystemExit("cases.list:%d: %s" % (number, text))


def _directive(case, number, text):
    key, _, value = text.partition(" ")
    if key == "build":
        case.build.append(value.split())
        if not os.path.isfile(os.path.join(GUESTS, case.build[-1][0])):
            _fail(number, "no file guests/%s" % case.build[-1][0])
    elif key in LISTS:
        getattr(case, key).extend(value.split())
    elif key in TEXTS:
        setattr(case, key, float(value) if key == "timeout" else value.strip())
    else:
        _fail(number, "unknown directive '@%s'" % key)


def read():
    """Returns (section titles in order, cases in order)."""
    sections, cases, names = [], [], set()
    with open(os.path.join(HERE, "cases.list"), encoding="utf-8") as f:
        lines = f.read().split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("== "):
            sections.append(line[3:].strip())
        elif line.startswith("    "):
            if not cases:
                _fail(number, "a command without a case")
            text = line[4:]
            if text.startswith("@"):
                _directive(cases[-1], number, text[1:])
            else:
                cases[-1].command += text + "\n"
        else:
            head = line.split(None, 2)
            if len(head) != 3 or head[1] not in TIERS or head[0] in names or not sections:
                _fail(number, "wants a new NAME, a TIER of %s, and a description" % (TIERS,))
            names.add(head[0])
            cases.append(Case(*head, sections[-1].split(":")[0], number))
    for case in cases:
        if not case.command:
            _fail(case.line, "'%s' has no command" % case.name)
    return sections, cases


def page():
    """docs/reference/programs.md."""
    sections, cases = read()
    runs = sum(1 + len(case.vary) for case in cases)
    out = ["# Programs that run under facet",
           "",
           "Made from `tests/programs/cases.list` by `tests/programs/run.py --page`; do not edit.",
           "",
           "Each case runs natively and under `facet exec`, in equal fresh folders with equal small",
           "environments; standard output, standard error, exit status and all files left behind must",
           "be the same. *quick* cases run with every commit, *full* ones in `make test`, *nightly* ones",
           "with `meson test --suite nightly`. By hand: `tests/programs/run.py --facet build/facet NAME`.",
           "",
           "%d cases, %d runs under facet. A case with a remark in the last column is known to differ;"
           % (len(cases), runs),
           "the tests fail if it stops to differ and the remark stays."]
    for section in sections:
        short, _, title = section.partition(":")
        out += ["", "## " + title.strip(), "", "| case | tier | what it does | also with | differs |",
                "|---|---|---|---|---|"]
        for case in (c for c in cases if c.section == short):
            also = ", ".join("`%s`" % " ".join("--" + v for v in vary.split(","))
                             for vary in case.vary).replace("=", " ")
            out.append("| %s | %s | %s | %s | %s |"
                       % (case.name, case.tier, case.about.replace("|", "\\|"), also, case.todo))
    return "\n".join(out) + "\n"
