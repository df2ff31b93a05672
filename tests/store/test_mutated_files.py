"""Mutated results files through everything that reads one; `make fuzz` reads many more."""

import fuzz

FILES = 24


def test_mutated_files_end_well_or_in_one_line() -> None:
    ends, problems = fuzz.fuzz(FILES, screens=8)
    assert not problems, "\n".join(problems)
    assert ends.total() == FILES
