"""A comparison leaves sort, filter and undo of its table as they were."""

from dataclasses import replace

import pytest
from catalogs import at, place, sing
from test_undo_and_views import IMAGES, changed

from sing_tui.session import Refused
from sing_tui.session.arranging import arrangement, filter_by, shown_as, sort_by
from sing_tui.session.comparison import compare, next_measure
from sing_tui.session.misclassified import misclassified
from sing_tui.session.state import Arrangement
from sing_tui.session.undoing import undo


def test_a_comparison_is_no_change_and_leaves_sort_and_filter_as_they_were() -> None:
    first = at(sing(), place("concepts", model="alpha", class_=1), 7)
    compared = changed(first, lambda s: compare(s, sing(), "z"))
    assert arrangement(compared, sing()) == Arrangement("", "z", descending=True)
    ended = changed(compared, lambda s: compare(s, sing()))
    assert arrangement(ended, sing()) == arrangement(first, sing()) == Arrangement("", "attribute_score_abs", True)
    for session in (compared, ended):
        with pytest.raises(Refused, match="nothing to undo"):
            undo(session)
    turned = changed(compared, lambda s: sort_by(s, sing(), "z.beta", is_text=False))
    assert arrangement(undo(turned), sing()).sort == "z"
    assert arrangement(changed(turned, lambda s: compare(s, sing())), sing()).sort == "z"
    other = changed(turned, lambda s: next_measure(s, sing(), 1))
    with pytest.raises(Refused, match="nothing to undo"):
        undo(other)  # the other column lacks what was sorted by before


def test_a_filter_that_a_comparison_cannot_keep_comes_back_when_it_ends() -> None:
    first = filter_by(at(sing(), IMAGES, 7), sing(), "prediction != class")
    compared = compare(first, sing())
    read = shown_as(compared, sing(), replace(arrangement(compared, sing()), filter=""))
    assert arrangement(read, sing()).filter == ""
    assert arrangement(compare(read, sing()), sing()) == arrangement(first, sing())
    other = filter_by(read, sing(), "class = cat")
    assert arrangement(compare(other, sing()), sing()).filter == "class = cat"
    kept = filter_by(shown_as(compared, sing(), arrangement(compared, sing())), sing(), "")
    assert arrangement(compare(kept, sing()), sing()).filter == ""  # it was cleared by hand
    again = compare(compare(read, sing()), sing())
    assert again.here.dropped == ""


def test_pairs_of_misclassified_images_are_not_counted_under_the_filter_of_a_comparison() -> None:
    compared = filter_by(compare(at(sing(), IMAGES, 7), sing()), sing(), "image_score.beta > 4")
    with pytest.raises(Refused, match="this filter is about what is side by side"):
        misclassified(compared, sing())
    assert misclassified(filter_by(compared, sing(), ""), sing()).place.table == "counts"
