"""Several requests at a time: all of them done, or the first failure and an end of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from lamina.registry.client import Registry

T = TypeVar("T")
_AT_ONCE = 6  # more are seldom faster, and sooner too many for a registry


def together(registry: Registry, work: Iterable[Callable[[], T]]) -> list[T]:
    """Return what each call returns, in their order; `registry` is stopped when one raises.

    An interrupt ends all of them, too.
    """
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        try:
            running = [pool.submit(one) for one in work]
            for done in as_completed(running):
                done.result()
        except BaseException:
            registry.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return [one.result() for one in running]
