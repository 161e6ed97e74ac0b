"""Makes the demo's clip. Needs numpy and OpenCV only.

    python -m tools.demo_clip edge/demo/clip.mp4

writes the clip and, beside it, clip.json, which says who is in it and when.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from edge.capture.video_io import open_writer
from edge.errors import UsageError, WhosthereError
from edge.records import Image
from tools.demo_clip import scene
from tools.demo_clip.painting import FPS, PaintedClip, frame_count, script

CODEC = "mp4v"


def write(out: Path, frames: Iterator[Image]) -> None:
    """Frames as a video, and the script beside it. Raises UsageError when OpenCV cannot write there."""
    writer = open_writer(out, CODEC, FPS, (scene.WIDTH, scene.HEIGHT))
    if not writer.isOpened():
        raise UsageError(
            f"{out}: OpenCV cannot write a video there; give a path that ends in .mp4 in a folder that exists"
        )
    for frame in frames:
        writer.write(frame)
    writer.release()
    out.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(script(out.name)), indent=2) + b"\n")


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m tools.demo_clip OUT.mp4", file=sys.stderr)
        return UsageError.exit_code
    out = Path(arguments[0])
    try:
        write(out, _with_progress(PaintedClip()))
    except WhosthereError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"\n{out}: {frame_count()} frames, {out.stat().st_size / 1e6:.1f} MB; {out.with_suffix('.json')}")
    return 0


def _with_progress(clip: PaintedClip) -> Iterator[Image]:
    for index in range(frame_count()):
        print(f"\rframe {index + 1} of {frame_count()}", end="", flush=True)
        yield clip.frame(index)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
