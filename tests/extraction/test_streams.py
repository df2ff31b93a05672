import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import torch

from sing_compute.extraction.streams import AHEAD, Streams


@pytest.fixture
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def test_what_calls_give_comes_in_their_order_whichever_ends_first() -> None:
    def call(number: int) -> int:
        time.sleep(0.02 if number % 2 == 0 else 0)
        return number

    with Streams(3) as streams:
        assert list(streams.map(partial(call, number) for number in range(20))) == list(range(20))


def test_calls_run_side_by_side() -> None:
    meeting = threading.Barrier(2, timeout=20)  # neither gets past it alone
    with Streams(2) as streams:
        assert sorted(streams.map([meeting.wait] * 4)) == [0, 0, 1, 1]


def test_no_more_calls_are_asked_for_than_there_is_room_for() -> None:
    asked: list[int] = []

    def calls() -> Iterator[partial[int]]:
        for number in range(100):
            asked.append(number)
            yield partial(int, number)

    with Streams(2) as streams:
        results = streams.map(calls())
        assert next(results) == 0
        assert len(asked) == 2 * (1 + AHEAD) + 1
        assert next(results) == 1
        assert len(asked) == 2 * (1 + AHEAD) + 2


@pytest.mark.usefixtures("four_threads")
def test_each_has_its_share_of_the_threads_and_the_rest_of_the_program_all() -> None:
    with Streams(2) as streams:
        assert list(streams.map([torch.get_num_threads] * 6)) == [2] * 6
        assert torch.get_num_threads() == 4
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert found == [4]
    assert torch.get_num_threads() == 4


def test_an_error_comes_out_where_its_result_would_and_waiting_calls_are_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[int] = []
    dropped = threading.Event()
    shutdown = ThreadPoolExecutor.shutdown

    def shut(pool: ThreadPoolExecutor, *, cancel_futures: bool = False) -> None:
        shutdown(pool, wait=False, cancel_futures=cancel_futures)
        dropped.set()
        shutdown(pool)

    def call(number: int) -> int:
        ran.append(number)
        if number == 1:
            raise ValueError("the second")
        if number == 2:  # the thread may have begun it before the error is seen, but no other one
            assert dropped.wait(60)
        return number

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", shut)
    with Streams(1) as streams:
        results = streams.map(partial(call, number) for number in range(50))
        assert next(results) == 0
        with pytest.raises(ValueError, match="the second"):
            next(results)
    assert ran in ([0, 1], [0, 1, 2])


def test_rounded_weights_are_kept_between_calls() -> None:
    """Torch rounds a weight once a block unless blocks are nested: then both calls compute with the same copy."""
    layer = torch.nn.Linear(8, 8)
    batch = torch.randn(2, 8)

    def call() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return layer(batch)

    with torch.inference_mode(), torch.autocast("cpu", enabled=False), Streams(1) as streams:
        (first,) = streams.map([call])
        with torch.no_grad():
            layer.weight.zero_()  # only one who rounds it again can see this
        (second,) = streams.map([call])
    assert torch.equal(first, second)
