#!/usr/bin/env bash
# Makes a stand-in for python:3.10-slim where no registry is reached: a minimal Debian with this
# machine's Python 3.10 below /usr/local, as the official image has it.
#
#   base.sh NAME    makes the image NAME unless it is there
#
# As root, with debootstrap, podman and buildah; the packages come from where apt-get has them from.
set -euo pipefail

name=$1
podman image exists "$name" && exit

python=$(.venv/bin/python -c 'import sys; print(sys.base_prefix)')
if [ "$python" = /usr ]; then
  echo "$name: the system's python3.10 cannot be copied into an image. Expected one with a folder" \
    "of its own: pyenv install 3.10 && pyenv shell 3.10" >&2
  exit 1
fi
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $suite" 'Created-By: Packages' |
  head -n 1)

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=ca-certificates,libbz2-1.0,libffi8,liblzma5,libreadline8,\
libsqlite3-0,libssl3,libuuid1,netbase,tzdata,zlib1g \
  "$suite" "$root" "$mirror" >/dev/null
tar -C "$python" --exclude=__pycache__ --exclude='*.a' --exclude=./lib/python3.10/test \
  --exclude=./lib/python3.10/site-packages -c . | tar -C "$root/usr/local" -x --no-same-owner
rm -f "$root"/usr/local/bin/{pip,2to3,idle}*
chroot "$root" ldconfig
chroot "$root" \
  env PIP_ROOT_USER_ACTION=ignore python3.10 -m ensurepip --default-pip >/dev/null
chroot "$root" apt-get clean
rm -rf "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}/*

container=$(buildah from scratch)
buildah copy --quiet "$container" "$root" / >/dev/null
buildah config --env PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \
  --cmd python3 "$container"
buildah commit --quiet --rm "$container" "$name" >/dev/null
