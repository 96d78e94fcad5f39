"""Makes the clips the mock server plays: ten seconds each, one fragment a picture, a keyframe a second.

Usage: python mock/clips.py [FOLDER OF VIDEO FILES]. Without a folder it draws plain scenes with things that move.
"""

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

OUT = Path(__file__).parent.parent / ".cache" / "mock"
WIDTH, HEIGHT, FPS, SECONDS = 640, 360, 15, 10


def drawn(seed: int):
    """Pictures of a yard at dusk with a car and a walker, each scene in other colours."""
    rng = np.random.default_rng(seed)
    tint = rng.integers(30, 70, 3)
    noise = rng.integers(-5, 5, (HEIGHT, WIDTH, 1))
    for n in range(FPS * SECONDS):
        picture = np.empty((HEIGHT, WIDTH, 3), np.int16)
        picture[:] = tint
        picture[200:] = tint + 25
        picture[110:230, 60:220] = tint - 15
        picture[130:170, 90:120] = (190, 150, 70)
        picture[275:279] = (150, 140, 90)
        x = (n * 6 + seed * 90) % (WIDTH + 90) - 90
        picture[285:320, max(0, x) : max(0, x + 90)] = ((seed * 70) % 200 + 40, 90, (seed * 130) % 180 + 50)
        y = (n * 3 + seed * 50) % WIDTH
        picture[225:275, y : y + 14] = (25, 25, 28)
        yield np.clip(np.roll(noise, n * 7, 1) + picture, 0, 255).astype(np.uint8)


def filmed(path: Path):
    """Pictures of a video file, scaled, repeated until there are enough."""
    wanted = FPS * SECONDS
    while wanted > 0:
        with av.open(str(path)) as source:
            for frame in source.decode(video=0):
                if wanted <= 0:
                    return
                wanted -= 1
                yield frame.reformat(WIDTH, HEIGHT, "rgb24").to_ndarray()


def write(path: Path, pictures) -> None:
    options = {"movflags": "frag_every_frame+empty_moov+default_base_moof"}
    with av.open(str(path), "w", format="mp4", options=options) as sink:
        stream = sink.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "bf": "0", "crf": "27", "g": str(FPS), "keyint_min": str(FPS), "sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        middle = None
        for n, picture in enumerate(pictures):
            middle = picture if n == FPS * 3 else middle
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                sink.mux(packet)
        for packet in stream.encode():
            sink.mux(packet)
    still = av.VideoFrame.from_ndarray(middle, format="rgb24").reformat(format="yuvj420p")
    codec = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height, codec.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
    codec.time_base = Fraction(1, 1)
    path.with_suffix(".jpg").write_bytes(b"".join(bytes(p) for p in [*codec.encode(still), *codec.encode()]))


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    files = sorted(folder.glob("*.mp4")) if folder else []
    for index in range(5):
        write(OUT / f"{index}.mp4", filmed(files[index % len(files)]) if files else drawn(index + 1))


main()
