"""What a decoder is told before the first picture: ISO/IEC 14496-15 configuration records."""

from __future__ import annotations

from collections.abc import Sequence

from beholden.model.media import VideoFormat

_HEVC_ORDER = (32, 33, 34)  # VPS, SPS, PPS


def extradata(video: VideoFormat) -> bytes:
    """The avcC or hvcC record of a format whose samples have 4-byte lengths; nothing for AV1 and Motion JPEG,
    whose keyframes carry all. ValueError without an SPS."""
    if video.codec == "h264":
        return _avcc(video.parameter_sets)
    return _hvcc(video.parameter_sets) if video.codec == "h265" else b""


def _avcc(sets: Sequence[bytes]) -> bytes:
    sps = [nal for nal in sets if nal[:1] and nal[0] & 0x1F == 7]
    pps = [nal for nal in sets if nal[:1] and nal[0] & 0x1F == 8]
    if not sps or len(sps[0]) < 4:
        raise ValueError("no sequence parameter set")
    head = bytes((1, *sps[0][1:4], 0xFC | 3))
    return head + bytes((0xE0 | len(sps),)) + _listed(sps) + bytes((len(pps),)) + _listed(pps)


def _hvcc(sets: Sequence[bytes]) -> bytes:
    groups = {
        kind: [nal for nal in sets if len(nal) > 2 and nal[0] >> 1 & 0x3F == kind] for kind in _HEVC_ORDER
    }
    if not groups[33] or len(groups[33][0]) < 15:
        raise ValueError("no sequence parameter set")
    # profile_tier_level follows the NAL header and one byte; emulation prevention removed
    profile = groups[33][0][2:].replace(b"\x00\x00\x03", b"\x00\x00")[1:13]
    head = b"\x01" + profile + b"\xf0\x00\xfc\xfd\xf8\xf8\x00\x00\x0f"
    arrays = [
        bytes((0x80 | kind,)) + len(nals).to_bytes(2, "big") + _listed(nals)
        for kind, nals in groups.items()
        if nals
    ]
    return head + bytes((len(arrays),)) + b"".join(arrays)


def _listed(nals: Sequence[bytes]) -> bytes:
    return b"".join(len(nal).to_bytes(2, "big") + nal for nal in nals)
