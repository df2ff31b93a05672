"""Define the errors that a user's input can cause. Each message says what is wrong and what to do. Imports nothing."""


class SingError(Exception):
    """An error that a user can cause: shown as one line, exit code 2."""


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
