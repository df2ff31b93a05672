"""Say the messages of a run on features of its own items: a run on sounds speaks of sounds (`--item`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from sing_compute.errors import SingError
from sing_compute.pipeline.comparability import existing
from sing_compute.pipeline.plan import Plan
from sing_compute.process.progress import Progress
from sing_compute.store.noun import IMAGE, Noun


def noun_of(plan: Plan) -> Noun:
    """Return the noun for the items of a run: the user's, else that of the results file to which models are added."""
    if plan.noun is not None:
        return plan.noun
    if plan.models[0].features is None:
        return IMAGE
    with existing(plan) as old:
        return IMAGE if old is None else old.noun


@contextmanager
def speaking_of(noun: Noun, plan: Plan, progress: Progress) -> Iterator[None]:
    """Put the noun into the messages and errors of the block, but not into the names of the plan's models.

    Args:
        noun: The noun for the items of the run.
        plan: Names the models.
        progress: Shows the messages.

    Raises:
        SingError: The block raised it; its text is of these items.
    """
    if noun.is_image:
        yield
        return
    words = partial(noun.words, names=[spec.name for spec in plan.models])
    progress.words = words
    try:
        yield
    except SingError as error:
        raise type(error)(words(str(error))) from error
    finally:
        progress.words = str
