"""H.264 and H.265 by the compiled hot path, where there is one (see ``library``).

``walk.c`` takes what is usual, the sound's packets between the pictures included, and stops at anything else,
which then goes through ``packet`` as without it. A picture that is open when a read ends has its parts here.
"""

from __future__ import annotations

import ctypes
import struct
from typing import ClassVar, Final

from beholden.ingest.rtp import library
from beholden.ingest.rtp.audio import AudioDepacketiser
from beholden.ingest.rtp.fragmented import FragmentedDepacketiser
from beholden.ingest.rtp.video import ParameterSetSink, PictureSink

# ``struct state`` of walk.c, in its order.
_SET_UP: Final = struct.Struct("=3q")
_SOUND: Final = struct.Struct("=3q")
_SHARED: Final = struct.Struct("=8q")
_RESULT: Final = struct.Struct("=9q")
_SOUND_AT: Final = _SET_UP.size
_SHARED_AT: Final = _SOUND_AT + _SOUND.size
_RESULT_AT: Final = _SHARED_AT + _SHARED.size
_RECORD: Final = struct.Struct("=4I")
_result: Final = _RESULT.unpack_from
_KEY: Final = 1
_HAS_SLICE: Final = 2
_AFTER_HOLE: Final = 4
_TRUST_MARKER: Final = 8
_KEY_PICTURE: Final = 2
_HEARD: Final = 3


class CompiledDepacketiser(FragmentedDepacketiser):
    """Base of the two. What the base keeps in attributes lies in ``_state`` while only compiled code runs:
    ``packet`` takes it back first, and the next ``walk`` hands it over again."""

    _codec: ClassVar[int]
    _library: library.Library | None
    _walk: library.Walk

    def __init__(
        self, channel: int, payload_type: int, on_picture: PictureSink, on_parameter_sets: ParameterSetSink
    ) -> None:
        super().__init__(channel, payload_type, on_picture, on_parameter_sets)
        self._state = bytearray(library.STATE_BYTES)
        self._exported = (ctypes.c_char * library.STATE_BYTES).from_buffer(self._state)
        self._address = ctypes.addressof(self._exported)
        self._handed_over = False
        self._heard = -1  # the number of the next packet of sound, as the compiled code knows it
        _SET_UP.pack_into(self._state, 0, self._codec, channel, payload_type)
        _SOUND.pack_into(self._state, _SOUND_AT, -1, -1, -1)
        self.use(library.chosen().library)

    def use(self, compiled: library.Library | None) -> None:
        """This compiled code from now on, or none."""
        if self._handed_over:
            self._take_back()
        self._library = compiled
        if compiled is not None:
            self._walk = compiled.walk

    def hear(self, sound: AudioDepacketiser, channel: int) -> None:
        super().hear(sound, channel)
        self._heard = -2  # no number: so that the next call tells the compiled code

    def packet(self, data: bytes, start: int, end: int) -> None:
        if self._handed_over:
            self._take_back()
        super().packet(data, start, end)

    def walk(self, data: bytes, position: int, size: int) -> int:
        if self._library is None:
            return super().walk(data, position, size)
        if not self._handed_over and not self._hand_over():
            return position
        sound = self._sound
        if sound is not None and sound.sequence.expected != self._heard:
            self._heard = sound.sequence.expected
            _SOUND.pack_into(self._state, _SOUND_AT, self._sound_channel, sound.payload_type, self._heard)
        scratch = self._library.scratch
        address, out = scratch.address, scratch.out
        position = self._walk(data, position, min(size, len(data)), self._address, address)
        is_open, packets, heard_packets, records, begin, end, length_at, closed, too_large = _result(
            self._state, _RESULT_AT
        )
        self.packets += packets
        if closed:
            self._parts[self._fragment_at] = closed.to_bytes(4, "big")
        if heard_packets and sound is not None:
            self._heard = sound.sequence.expected = (self._heard + heard_packets) & 0xFFFF
        if records:
            self._deliver(data, out, scratch.records[: records * _RECORD.size])
        if not is_open:
            self._fragment_at = -1
        if end > begin:
            self._keep_open(out, begin, end, length_at)
        if too_large:
            self._take_back()
            raise self._too_large()
        return position

    def _deliver(self, data: bytes, out: memoryview, records: memoryview) -> None:
        sound, on_picture = self._sound, self._on_picture
        for kind, stamp, at, size in _RECORD.iter_unpack(records):
            if kind == _HEARD:
                assert sound is not None
                sound.in_turn(data[at : at + size], stamp)
                continue
            self._foreign = 0
            parts = self._parts
            if not parts:
                on_picture(stamp, kind == _KEY_PICTURE, [out[at : at + size].tobytes()], size)
                continue
            self._parts = []
            if size:
                parts.append(out[at : at + size].tobytes())
            on_picture(stamp, kind == _KEY_PICTURE, parts, sum(map(len, parts)))

    def _keep_open(self, out: memoryview, begin: int, end: int, length_at: int) -> None:
        # What there is of the open picture; its open slice's length is a part of its own, known later.
        parts = self._parts
        if length_at < 0:
            parts.append(out[begin:end].tobytes())
            return
        if length_at > begin:
            parts.append(out[begin:length_at].tobytes())
        self._fragment_at = len(parts)
        parts += (b"", out[length_at + 4 : end].tobytes())

    def _hand_over(self) -> bool:
        """Whether the compiled code may go on: never in a damaged picture, nor in a fragmented unit that is
        no slice."""
        at, parts = self._fragment_at, self._parts
        if self._damaged or (at >= 0 and not self._is_slice(self._fragment_kind)):
            return False
        flags = (self._key and _KEY) | (self._has_slice and _HAS_SLICE)
        flags |= (self._after_hole and _AFTER_HOLE) | (self._trust_marker and _TRUST_MARKER)
        unit = sum(map(len, parts[at + 1 :])) if at >= 0 else 0
        sequence = self.sequence
        _SHARED.pack_into(
            self._state,
            _SHARED_AT,
            sequence.expected,
            self._stamp,
            self._emitted_stamp,
            flags,
            self._fragment_kind,
            sum(map(len, parts)),
            unit,
            len(parts) + self._joined if parts else 0,
        )
        _RESULT.pack_into(self._state, _RESULT_AT, at >= 0, 0, 0, 0, 0, 0, 0, 0, 0)
        self._handed_over = True
        return True

    def _take_back(self) -> None:
        sequence = self.sequence
        (
            sequence.expected,
            self._stamp,
            self._emitted_stamp,
            flags,
            self._fragment_kind,
            _,
            _,
            pieces,
        ) = _SHARED.unpack_from(self._state, _SHARED_AT)
        self._key, self._has_slice = bool(flags & _KEY), bool(flags & _HAS_SLICE)
        self._after_hole = bool(flags & _AFTER_HOLE)
        self._joined = pieces - len(self._parts)
        self._handed_over = False
