#!/bin/bash
# atmoz/sftp's argument: user:password:uid:gid
set -euo pipefail
mkdir -p /run/sshd
IFS=: read -r user password uid gid <<<"$1"
id "$user" >/dev/null 2>&1 || useradd --non-unique --uid "$uid" --gid "$gid" --home-dir "/home/$user" --no-create-home "$user"
chown root:root "/home/$user"
chmod 755 "/home/$user"
echo "$user:$password" | chpasswd
exec /usr/sbin/sshd -D -e
