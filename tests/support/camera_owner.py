"""A program that owns a camera and serves it twice, as mediamtx does with a Pi's: `camera_owner.py PICTURE`.

The camera shows PICTURE, a JPEG, for ever. H.264 at /main has 1280x720, at /second 640x360, both of the same
capture. It prints its port once it listens. Run by the system's Python.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - the versions must be chosen first

CAMERA = (
    "filesrc name=picture ! jpegdec ! imagefreeze is-live=true ! videoconvert ! videoscale add-borders=true"
    " ! video/x-raw,format=I420,width=1280,height=720,framerate=15/1 ! intervideosink channel=camera sync=true"
)
STREAM = (
    "( intervideosrc channel=camera ! videoscale ! video/x-raw,width={},height={},framerate=15/1"
    " ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 threads=1"
    " ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
)


def main(picture: str) -> None:
    Gst.init(None)
    camera = Gst.parse_launch(CAMERA)
    camera.get_by_name("picture").set_property("location", picture)
    camera.set_state(Gst.State.PLAYING)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    for path, width, height in (("/main", 1280, 720), ("/second", 640, 360)):
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(STREAM.format(width, height))
        factory.set_shared(True)
        server.get_mount_points().add_factory(path, factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(*sys.argv[1:])
