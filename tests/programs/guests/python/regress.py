# SPDX-License-Identifier: BSD-3-Clause
"""Runs modules of Python's own regression tests; prints the outcome of each test.

    regress.py MODULE... [-x PATTERN]... [-u RESOURCE]...
    -x: without the tests whose name has PATTERN; -u: with those that need RESOURCE (network)
"""
import collections, os, sys, tempfile, unittest
from test import support

class Outcomes(unittest.TestResult):
    def startTest(self, test): super().startTest(test); self.bad = None
    def note(self, test, word, why=""): print(test.id(), word, why, file=outcomes, flush=True); self.count[word] += 1
    def addSuccess(self, test): self.note(test, "ok")
    def addFailure(self, test, err): self.note(test, "FAIL"); print(self._exc_info_to_string(err, test), file=sys.stderr)
    def addError(self, test, err): self.note(test, "ERROR"); print(self._exc_info_to_string(err, test), file=sys.stderr)
    def addSkip(self, test, why): self.note(test, "skipped", why)
    def addExpectedFailure(self, test, err): self.note(test, "expected failure")
    def addUnexpectedSuccess(self, test): self.note(test, "unexpected success")
    def addSubTest(self, test, subtest, err):
        if err: self.note(subtest, "FAIL"); print(self._exc_info_to_string(err, test), file=sys.stderr)

def flat(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite): yield from flat(test)
        else: yield test

words, without, resources = sys.argv[1:], [], []
for option, where in (("-x", without), ("-u", resources)):
    while option in words: at = words.index(option); where.append(words[at + 1]); del words[at:at + 2]
support.use_resources, outcomes, sys.stdout = resources, sys.stdout, sys.stderr
os.mkdir("scratch"); os.chdir("scratch")
for word in words:
    result = Outcomes(); result.count = collections.Counter()
    tests = unittest.defaultTestLoader.loadTestsFromName("test." + word)
    tests = unittest.TestSuite(t for t in flat(tests) if not any(x in t.id() for x in without)) if without else tests
    tests.run(result)
    print(word, dict(result.count), file=outcomes, flush=True)
