"""Define the errors that a user's input can cause. Each message says what is wrong and what to do. Imports nothing of sing."""

import re

STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
"""Characters that control a terminal, end a line, change the direction of writing or cannot be seen."""
_LINE_END = re.compile("[\t-\r\x1c-\x1e\x85\u2028\u2029][\t-\r\x1c-\x1e\x85\u2028\u2029 ]*")
LONGEST = 2_000
"""Most characters of a message."""


def visible(text: object, *, longest: int = LONGEST) -> str:
    r"""Return any text as one line that cannot control a terminal.

    Line ends and tabs become a space. Other control characters, marks of direction and bytes of file names that are not UTF-8
    are written as escapes (`\x1b`, `\u202e`, `\udcff`). The middle of a text that is too long is left out.

    Args:
        text: The text, or an exception.
        longest: Most characters of the text that are shown.
    """
    line = str(text)
    if len(line) > longest:
        line = f"{line[: longest // 2]} ... {line[-(longest // 2) :]}"
    if line.isascii() and line.isprintable():
        return line
    return escaped(_LINE_END.sub(" ", line))


def escaped(text: str) -> str:
    """Return the text with its control characters, marks of direction and invisible characters written as escapes."""
    return STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class SingError(Exception):
    """An error that a user can cause: shown as one line, exit code 2. Its message may quote any text of a file."""

    def __str__(self) -> str:
        """Return the message as one harmless line."""
        return visible(super().__str__())


class StoreError(SingError):
    """A results file is missing, damaged, of another program, or of a newer schema."""


class HeadError(SingError):
    """A network has no linear head that gives its logits, or the head cannot be used."""


class WeightsError(SingError):
    """A checkpoint cannot be read or does not fit its network."""


class ImagesError(SingError):
    """A folder or list of images cannot be used."""


class ConceptsError(SingError):
    """A vocabulary or a file of stored embeddings cannot be used."""


class TranslatorError(SingError):
    """A translator cannot be fitted on these images, or its file cannot be used."""


class DirectionsError(SingError):
    """Direction pairs cannot be looked for in these features, or with these numbers."""


class TowerError(SingError):
    """The heads of a CLIP image tower cannot be read as linear maps."""


class StoppedError(Exception):
    """A signal has stopped the run, and its finished work is stored. This is no mistake of the user."""

    def __init__(self, signum: int) -> None:
        """Record the signal.

        Args:
            signum: Number of the signal.
        """
        super().__init__(f"stopped by signal {signum}")
        self.signum = signum


class OtherRankError(Exception):
    """Another process of this run had an error, which that process reports."""

    def __init__(self, rank: int) -> None:
        """Record the process.

        Args:
            rank: Its number in the run.
        """
        super().__init__(f"stopped because of rank {rank}")
        self.rank = rank
