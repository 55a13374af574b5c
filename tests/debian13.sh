#!/usr/bin/env bash
# Runs a command in Debian 13, whose glibc is new enough for the newest TFX, on an older machine:
#
#   tests/debian13.sh make setup PYTHON=3.11
#   tests/debian13.sh .venv/bin/pytest
#
# The checkout lies there where it lies here, with a .venv of its own. The root is made once, in
# .tools/debian13, of Debian's packages and this machine's Python 3.11; `make clean` removes it.
# As root, with debootstrap; the packages come from where apt-get has them from.
set -euo pipefail

cd "$(dirname "$0")/.."
checkout=$PWD
root=$checkout/.tools/debian13

make_root() {
  local python mirror
  # Not by this checkout's .python-version.
  python=$(PYENV_VERSION=3.11 python3.11 -c 'import sys; print(sys.base_prefix)' || true)
  if [ -z "$python" ] || [ "$python" = /usr ]; then
    echo "debian13.sh: found no Python 3.11 that can be copied. Expected python3.11 with a folder" \
      "of its own: pyenv install 3.11, or uv python install 3.11" >&2
    exit 1
  fi
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' 'Created-By: Packages' |
    head -n 1)
  rm -rf "$root.new"
  # Without a mirror debootstrap has one of its own.
  debootstrap --variant=minbase --include=ca-certificates,g++,git,libbz2-1.0,libexpat1,libffi8,\
liblzma5,libncursesw6,libreadline8t64,libsqlite3-0,libssl3t64,libuuid1,make,netbase,procps,tzdata,\
zlib1g trixie "$root.new" ${mirror:+"$mirror"} >/dev/null
  tar -C "$python" --exclude=__pycache__ --exclude='*.a' --exclude=./lib/python3.11/site-packages \
    -c . | tar -C "$root.new/usr/local" -x --no-same-owner
  chroot "$root.new" ldconfig
  mkdir "$root.new/venv"
  mv "$root.new" "$root"
}

[ -d "$root" ] || make_root

tmp=$(mktemp -d "$root/tmp.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap : INT TERM # they reach the command too, whose end is waited for
cp -L /etc/resolv.conf /etc/hosts "$root/etc"
mkdir -p .venv
# The mounts are this command's alone, and go with it.
export root checkout tmp
unshare --mount bash -c '
set -eu
# Before the checkout, which may lie in /tmp.
mount --bind "$tmp" "$root/tmp"
mkdir -p "$root$checkout"
mount --bind "$checkout" "$root$checkout"
mount --bind "$root/venv" "$root$checkout/.venv"
mount --rbind /dev "$root/dev"
mount --rbind /proc "$root/proc"
certificates=/etc/ssl/certs/ca-certificates.crt
if [ -n "${SSL_CERT_FILE:-}" ]; then mount --bind "$SSL_CERT_FILE" "$root$certificates"; fi
exec chroot "$root" env --chdir="$checkout" --unset=TMPDIR HOME=/root UV_LINK_MODE=copy \
  SSL_CERT_FILE=$certificates PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
' debian13 "$@"
