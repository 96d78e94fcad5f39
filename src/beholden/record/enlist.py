"""A directory becomes one of this site's volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from beholden.catalog import Catalog, volumes
from beholden.catalog.volumes import VolumeRow
from beholden.model.errors import BeholdenError
from beholden.store.volume import IDENTITY_NAME, Volume


def add_volume(
    catalog: Catalog, at_ms: int, path: Path, settings: dict[str, Any], *, adopt: bool = False, by: str
) -> VolumeRow:
    """Make a directory a volume and register it with ``settings`` (as ``catalog.volumes.add``).

    ``adopt`` takes a directory that was a volume before, with its footage; without it that is refused, for
    its files would come into this site's timelines. BeholdenError ``bad_path``, ``volume_foreign``, and as
    ``volumes.add``; StoreError when it cannot be made or written.
    """
    if not path.is_absolute() or not (path.is_dir() or path.parent.is_dir()):
        raise BeholdenError(
            "bad_path",
            f"{path} is no directory that could be used.",
            "Give an absolute path, on a disk that is mounted; its last folder is made when it is missing.",
        )
    path = path.resolve()
    with catalog.read() as conn:
        known = volumes.all_volumes(conn)
    for row in known:
        other = Path(row.path).resolve()
        if path.is_relative_to(other) or other.is_relative_to(path):
            raise BeholdenError(
                "volume_taken",
                f"{path} lies in {row.path} or around it, a volume already.",
                "Choose another.",
            )
    if (path / IDENTITY_NAME).exists() and not adopt:
        raise BeholdenError(
            "volume_foreign",
            f"{path} was a storage of Beholden before, of another site or of this one.",
            "Use an empty directory, or adopt it: its footage then comes into the timelines of this site.",
        )
    made = Volume.create(path)
    with catalog.write() as conn:
        number = volumes.add(conn, at_ms, made.uuid, str(path), by=by, **settings)
        return volumes.get(conn, number)
