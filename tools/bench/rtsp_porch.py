"""An RTSP camera that shows an empty porch in H.264, run by the system's Python: `rtsp_porch.py FOLDER FPS`.

FOLDER holds the pictures, 00.png and so on, which are shown in turn. It prints its port once it listens, and serves
/door until it is killed.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - the versions must be chosen first

PIPELINE = (
    '( multifilesrc location="{folder}/%02d.png" loop=true do-timestamp=true caps="image/png,framerate={fps}/1"'
    " ! pngdec ! identity sleep-time={pause} ! videoconvert ! video/x-raw,format=I420"
    " ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=20"
    " ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
)


def main(folder: str, fps: str) -> None:
    """Serve until killed."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(PIPELINE.format(folder=folder, fps=fps, pause=round(1e6 / float(fps))))
    factory.set_shared(True)
    server.get_mount_points().add_factory("/door", factory)
    if not server.attach(None):
        sys.exit("cannot listen on the loopback interface")
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(*sys.argv[1:])
