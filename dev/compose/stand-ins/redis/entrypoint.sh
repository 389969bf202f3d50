#!/bin/sh
# As upstream: no protected mode inside a container, and not as root.
chown -R redis:redis /data
exec setpriv --reuid=redis --regid=redis --init-groups "$@" --protected-mode no
