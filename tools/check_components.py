#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Nothing of a component hides outside its lists.

In every struct whose first member is `struct component base;`, each member is base, p (params),
st (state), n (statistics), WIRED(...) (set in connect) or DERIVED(...) (rebuilt by after_load).
"""

import re

import tree

HEAD = re.compile(r"\bstruct\s+(\w+)\s*\{\s*struct\s+component\s+base\s*;")
PLAIN = re.compile(r"^struct\s+\w+\s+(base|p|st|n)$")
WRAPPED = re.compile(r"^(WIRED|DERIVED)\s*\(.*\)$", re.S)


def body_end(text, start):
    depth = 0
    for i in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            return i
    return len(text)


def check_text(path, text):
    complaints = []
    code = tree.code_only(text)
    for match in HEAD.finditer(code):
        start = code.index("{", match.start())
        offset = start + 1
        for member in code[start + 1:body_end(code, start)].split(";"):
            words = " ".join(member.split())
            line = tree.line_of(code, offset + len(member) - len(member.lstrip()))
            offset += len(member) + 1
            if words and not PLAIN.match(words) and not WRAPPED.match(words):
                complaints.append("%s:%d: struct %s: member '%s' is neither base, p, st, n, WIRED() "
                                  "nor DERIVED()" % (path, line, match.group(1), words))
    return complaints


def check(root, _args):
    return [complaint for path in tree.files(root, ".c", ".h", under=("src",))
            for complaint in check_text(path, tree.read(root, path))]


if __name__ == "__main__":
    tree.main(__doc__, check)
