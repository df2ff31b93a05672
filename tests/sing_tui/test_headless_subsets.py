"""`--subset` without a screen: rows of that subset, or a line that says that they are not."""

from pathlib import Path

from test_headless import run


def test_a_named_subset_keeps_these_images_alone_or_says_that_it_does_not(store_path: Path) -> None:
    one = ("--model", "alpha", "--class", "cat", "--columns", "image,prediction", "--csv", "-")
    wrong = run(store_path, "--table", "images", *one, "--filter", "prediction != class")
    assert 1 < len(wrong.stdout.splitlines()) < 31
    for options in (("--subset", "wrong"), ("--subset", "wrong", "--filter", "prediction != class")):
        assert run(store_path, "--table", "images", *one, *options).stdout == wrong.stdout
    both = run(store_path, "--table", "images", *one, "--subset", "wrong", "--filter", "prediction = dog")
    assert both.stdout == run(store_path, "--table", "images", *one, "--filter", "prediction = dog").stdout
    counted = ("--model", "alpha", "--count-by", "class", "--columns", "count", "--csv", "-")
    errors = run(store_path, "--table", "images", *counted, "--filter", "prediction != class")
    assert run(store_path, "--table", "images", *counted, "--subset", "wrong").stdout == errors.stdout
    concepts = run(store_path, "--model", "alpha", "--class", "cat", "--subset", "wrong", "--csv", "-")
    assert "--subset does not change these concepts: they are of all images" in concepts.stderr
    assert concepts.stdout == run(store_path, "--model", "alpha", "--class", "cat", "--csv", "-").stdout
