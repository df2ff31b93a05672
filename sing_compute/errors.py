"""What can go wrong through a user's input. Each message says what was wrong and what to do; imports nothing."""


class SingError(Exception):
    """An error a user can cause: shown as one line, exit code 2."""


class StoreError(SingError):
    """A results file is missing, damaged, not ours, or of a newer schema."""


class HeadError(SingError):
    """A network has no linear head that explains its logits."""


class WeightsError(SingError):
    """A checkpoint cannot be read or does not fit its network."""


class ImagesError(SingError):
    """A folder or list of images cannot be used."""


class ConceptsError(SingError):
    """A vocabulary or a file of stored embeddings cannot be used."""


class TranslatorError(SingError):
    """The features at hand do not determine a translator."""


class StoppedError(Exception):
    """The run was asked to stop and has put its work away; no mistake. `signum` is the signal that asked."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by signal {signum}")
        self.signum = signum


class OtherRankError(Exception):
    """Another process of this run had an error and says which; `rank` is that process."""

    def __init__(self, rank: int) -> None:
        super().__init__(f"stopped because of rank {rank}")
        self.rank = rank
