"""How long networks take for one image."""

import time
from collections.abc import Callable, Mapping

import numpy as np

_WARM_UP = 5
_MOST_ROUNDS = 100  # the medians of 300 differ from one measuring to the next as much
_SECONDS_A_NETWORK = 2.0


def in_turns(calls: Mapping[str, Callable[[], object]]) -> dict[str, np.ndarray]:
    """Times calls, each in its turn: whatever slows the machine down meets all of them.

    Each is called twice and timed the second time: the first call after another network's pays for
    the caches that this one has filled.

    Args:
      calls: what is timed, by name.

    Returns:
      By name the seconds of each round, `(rounds,)`; the same round is at the same index.
    """
    for call in calls.values():
        for _ in range(_WARM_UP):
            call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + _SECONDS_A_NETWORK * len(calls)
    for _ in range(_MOST_ROUNDS):
        for name, call in calls.items():
            call()
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
        if time.perf_counter() > end:
            break
    return {name: np.asarray(values) for name, values in seconds.items()}
