"""How a command ended, and the line that refuses it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The error line of a refusal, which stands alone at the end of standard error."""
        assert self.code == 2, self
        lines = self.err.splitlines()
        assert lines[-1].startswith("sing-compute: error: "), self.err
        assert sum("error:" in line for line in lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[-1].removeprefix("sing-compute: error: ")
