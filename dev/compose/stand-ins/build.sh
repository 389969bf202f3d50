#!/bin/bash
# Builds local stand-ins for the images that docker-compose.yml and the Dockerfile name, tagged with the upstream names, on
# a Debian machine that reaches package registries but no image registry. They prove wiring, not the products:
# Redpanda is Apache Kafka behind a shim, Redis is Debian's, the SFTP server is Debian's OpenSSH.
#   stand-ins/build.sh WORK_DIR
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
work=$1
base=cdr-trial/debian:bookworm
export DOCKER_BUILDKIT=0
mkdir -p "$work"

# image_of NAME: the image with its tag, as docker-compose.yml has it
image_of() { sed -n "s#^ *image: \($1:[^ ]*\)\$#\1#p" "$root/docker-compose.yml" | sort -u | head -n 1; }
exists() { docker image inspect "$1" >/dev/null 2>&1; }
# build TAG FOLDER: says how long it took
build() {
  local started=$SECONDS
  docker build --quiet --tag "$1" "$2" >/dev/null
  echo "  $1: $((SECONDS - started)) s"
}

# Debian itself, trusting the certificate authorities that this machine trusts.
if ! exists "$base"; then
  started=$SECONDS
  if [ ! -e "$work/rootfs/etc/debian_version" ]; then
    rm -rf "$work/rootfs"
    debootstrap --variant=minbase --include=ca-certificates bookworm "$work/rootfs" >"$work/debootstrap.log" 2>&1
  fi
  cp /etc/ssl/certs/ca-certificates.crt "$work/rootfs/etc/ssl/certs/ca-certificates.crt"
  printf '#!/bin/sh\nexit 101\n' >"$work/rootfs/usr/sbin/policy-rc.d"
  chmod +x "$work/rootfs/usr/sbin/policy-rc.d"
  tar -C "$work/rootfs" --exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./usr/share/locale \
    --exclude='./var/cache/apt/*' -c . |
    docker import -c 'CMD ["bash"]' -c 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' - "$base" >/dev/null
  echo "  $base: $((SECONDS - started)) s"
fi

# Node: the program that the devDependency `node` brings, and npm.
node_image=$(sed -n 's/^ARG NODE_IMAGE=//p' "$root/Dockerfile")
if ! exists "$node_image"; then
  mkdir -p "$work/node/usr/bin"
  cp -L "$root/node_modules/node/bin/node" "$work/node/usr/bin/node"
  npm install --silent --no-audit --no-fund --global --prefix "$work/node/usr" npm@11 >/dev/null 2>&1
  cat >"$work/node/Dockerfile" <<D
FROM $base
RUN groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --create-home node
COPY usr /usr/local
CMD ["node"]
D
  build "$node_image" "$work/node"
fi

# from_debian TAG FOLDER PACKAGES...: a folder here, with packages of Debian
from_debian() {
  local tag=$1 folder=$2
  shift 2
  exists "$tag" && return
  rm -rf "${work:?}/$folder.image"
  cp -r "$here/$folder" "$work/$folder.image"
  [ -d "$work/$folder" ] && cp -r "$work/$folder/." "$work/$folder.image/"
  sed -i -e "s#@BASE@#$base#" -e "s#@PACKAGES@#$*#" "$work/$folder.image/Dockerfile"
  build "$tag" "$work/$folder.image"
}

if ! exists "$(image_of redpandadata/redpanda)"; then
  mkdir -p "$work/redpanda/libs"
  ls "$work"/redpanda/libs/kafka_2.13-*.jar >/dev/null 2>&1 ||
    mvn -B -ntp -q -f "$root/dev/services/kafka/pom.xml" \
      org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
      -DoutputDirectory="$work/redpanda/libs" -DincludeScope=runtime
fi
from_debian "$(image_of redpandadata/redpanda)" redpanda openjdk-17-jre-headless
from_debian "$(image_of redis)" redis redis-server
from_debian "$(image_of atmoz/sftp)" sftp openssh-server
from_debian "$(image_of redpandadata/console)" console busybox
from_debian "$(image_of prom/prometheus)" prometheus prometheus busybox
