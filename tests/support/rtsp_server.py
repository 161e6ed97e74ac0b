"""A real RTSP camera for tests, run by the system's Python: `rtsp_server.py PORT WIDTHxHEIGHT [USER PASSWORD]`.

It prints its port once it listens, and serves H.264 at /door until it is killed. A line `WIDTHxHEIGHT` on its standard
input changes the size of the running stream.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - the versions must be chosen first

PIPELINE = (
    "( videotestsrc is-live=true pattern=ball ! capsfilter name=size caps={}"
    " ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10"
    " ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
)


def caps(size: str) -> str:
    width, height = size.split("x")
    return f"video/x-raw,width={width},height={height},framerate=15/1"


def main(port: str, size: str, *login: str) -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(PIPELINE.format(caps(size)))
    factory.set_shared(True)
    if login:
        protect(server, factory, *login)
    running = []
    factory.connect("media-configure", lambda _, media: running.append(media.get_element().get_by_name("size")))
    GLib.io_add_watch(sys.stdin, GLib.IO_IN, resize, running)
    server.get_mount_points().add_factory("/door", factory)
    if not server.attach(None):
        sys.exit(f"cannot listen on port {port}")
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


def resize(source, _condition, running) -> bool:
    size = source.readline().strip()
    for element in running if size else []:
        element.set_property("caps", Gst.Caps.from_string(caps(size)))
    return bool(size)


def protect(
    server: GstRtspServer.RTSPServer, factory: GstRtspServer.RTSPMediaFactory, user: str, password: str
) -> None:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "user")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    role = Gst.Structure.new_empty("user")
    role.set_value(GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS, True)
    role.set_value(GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, True)
    factory.add_role_from_structure(role)


if __name__ == "__main__":
    main(*sys.argv[1:])
