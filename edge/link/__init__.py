"""The daemon's socket for other programs on the box, such as the web page: protocol, server and clients."""
