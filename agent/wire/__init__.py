"""libprocess: the messages between Mesos's processes, as HTTP/1.1 requests (3rdparty/libprocess)."""
