"""Negative controls of run.py: a wrong answer, a wrong outcome and a wrong archive are noticed. Needs no machine."""

import tempfile
import unittest
from pathlib import Path

import collect
import run


class Answers:
    """Stands in for a machine that answers so."""

    log = "no log"

    def __init__(self, outcome, body):
        self.answered = outcome, body

    def answer(self, _):
        return self.answered


PROGRAM = {"name": "program", "outcome": "exit 0"}
EXPECTED = "exit 0", b"answer"


class Controls(unittest.TestCase):
    def test_the_reference_s_answer_passes(self):
        self.assertEqual(run.differs(Answers("exit 0", b"answer"), PROGRAM, EXPECTED), "")

    def test_a_byte_that_differs_is_noticed(self):
        self.assertIn("not 6 bytes", run.differs(Answers("exit 0", b"answeR"), PROGRAM, EXPECTED))

    def test_another_outcome_is_noticed(self):
        self.assertIn("not exit 0", run.differs(Answers("trap unreachable", b"answer"), PROGRAM, EXPECTED))
        self.assertIn("the manifest", run.differs(Answers("exit 1", b""), PROGRAM, ("exit 1", b"")))

    def test_an_archive_with_another_digest_is_left_out(self):
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "archive"
            archive.write_bytes(b"other")
            with self.assertRaises(collect.Missing):
                collect.checked(archive, {"sha256": "0" * 64})


if __name__ == "__main__":
    unittest.main()
