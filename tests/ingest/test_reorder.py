"""The reorder buffer: what UDP does to packets is undone, within bounds of packets and time."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from beholden.ingest.reorder import BEGIN_SECONDS, MOST_HELD, WAIT_SECONDS, Reorder


def _packet(number: int, ssrc: int = 7) -> bytes:
    return struct.pack(">BBHII", 0x80, 96, number & 0xFFFF, 0, ssrc)


def _number(packet: bytes) -> int:
    return int.from_bytes(packet[2:4], "big")


def _begun(first: int = 0) -> tuple[Reorder, list[bytes]]:
    order, out = Reorder(), []
    order.push(_packet(first), 0.0, out)
    order.expire(BEGIN_SECONDS, out)
    assert [_number(packet) for packet in out] == [first & 0xFFFF]
    out.clear()
    return order, out


@settings(deadline=None)  # the machine may be busy
@given(start=st.integers(0, 65_535), seed=st.integers(0, 1 << 30), reach=st.integers(1, 40))
def test_any_order_within_reach_is_undone_and_repeats_are_left_out(start: int, seed: int, reach: int) -> None:
    """Over the wrap of the numbers too, from the very first packet on."""
    chance = random.Random(seed)
    numbers = [start + step for step in range(300)]
    sent = sorted(numbers, key=lambda number: number + chance.uniform(0, reach))
    sent += chance.sample(sent, 30)
    order, out = Reorder(), []
    for place, number in enumerate(sent):
        order.push(_packet(number), place / 10_000, out)
        order.expire(place / 10_000, out)
    order.expire(10.0, out)
    order.expire(20.0, out)
    assert [_number(packet) for packet in out] == [number & 0xFFFF for number in numbers]
    assert order.late == 30
    assert (order.first, order.highest - order.first) == (start, 299)


def test_a_lost_packet_is_waited_for_no_longer_than_said() -> None:
    """What came after it is held, then goes on; when the lost one comes later still, it is left out."""
    order, out = _begun(10)
    for number in (12, 13):
        order.push(_packet(number), 1.0, out)
    order.expire(1.0 + WAIT_SECONDS / 2, out)
    assert out == []
    order.expire(1.01 + WAIT_SECONDS, out)
    assert [_number(packet) for packet in out] == [12, 13]
    order.push(_packet(11), 1.3, out)
    assert len(out) == 2
    assert (order.late, order.held) == (1, 0)


def test_memory_is_bounded_in_packets() -> None:
    """However long nothing is given up by time, no more than the bound is held."""
    order, out = _begun(0)
    for number in range(2, 3 * MOST_HELD):
        order.push(_packet(number), 1.0, out)
        assert order.held <= MOST_HELD
    assert _number(out[0]) == 2


def test_the_beginning_is_bounded_too() -> None:
    """A burst before the first release is not held without end."""
    order, out = Reorder(), []
    for number in range(2 * MOST_HELD):
        order.push(_packet(number), 0.0, out)
        assert order.held <= MOST_HELD
    assert [_number(packet) for packet in out] == list(range(2 * MOST_HELD))


def _again(order: Reorder, out: list[bytes], ssrc: int, number: int) -> None:
    order.push(_packet(number, ssrc), 5.0, out)
    order.expire(5.01 + BEGIN_SECONDS, out)


def test_a_camera_that_numbers_anew_is_followed() -> None:
    """Another sender, or a leap in the numbers: what was held comes first, then the new beginning."""
    for change in (
        lambda order, out: _again(order, out, 8, 3),
        lambda order, out: _again(order, out, 7, 30_000),
    ):
        _check_new_beginning(change)


def _check_new_beginning(change: Callable[[Reorder, list[bytes]], None]) -> None:
    order, out = _begun(10)
    order.push(_packet(12), 4.9, out)
    change(order, out)
    assert len(out) == 2
    assert _number(out[0]) == 12


@given(numbers=st.lists(st.tuples(st.integers(0, 65_535), st.integers(0, 2)), max_size=300))
def test_any_numbers_at_all_lose_nothing_twice_and_hold_little(numbers: list[tuple[int, int]]) -> None:
    """Whatever arrives: no packet comes out that did not go in, none twice in a row, all bounded."""
    order, out = Reorder(), []
    for place, (number, ssrc) in enumerate(numbers):
        order.push(_packet(number, ssrc), place / 100, out)
        order.expire(place / 100, out)
        assert order.held <= MOST_HELD
    order.expire(1e6, out)
    order.expire(2e6, out)
    assert order.held == 0
    assert len(out) <= len(numbers)
