#!/bin/sh
# deps.sh [build|test|bench]... - install what is missing, saying what.
# Debian 12 or 13, as root or with sudo. On Debian 12 libraft comes from the
# backports of the mirror this machine already uses.
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

build='gcc libc6-dev make pkg-config libraft-dev libraft0 libuv1-dev
	liblmdb-dev libssl-dev libcjson-dev libhttp-parser-dev
	libcurl4-openssl-dev zlib1g-dev'
run='curl ca-certificates'
test="libcmocka-dev clang clang-format clang-tidy llvm curl openssl python3
	procps iproute2 file man-db"
bench='etcd-server nginx-light'

say() { printf 'deps: %s\n' "$*"; }

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo -E "$@"
	else
		say "needs root for: $*"
		say "run it as root, or install sudo"
		exit 1
	fi
}

[ -r /etc/os-release ] || { say "no /etc/os-release: not Debian"; exit 1; }
. /etc/os-release
codename=${VERSION_CODENAME:-}

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }
candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p'; }

# The Python client for Consul has another name on each release, and the
# runtime of clang's sanitizers carries its version.
python_client() {
	case $codename in
	bookworm) echo python3-consul2 ;;
	*) echo python3-consul ;;
	esac
}
clang_runtime() {
	v=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n 1)
	[ -n "$v" ] && echo "libclang-rt-$v-dev"
}

want=''
[ $# -gt 0 ] || set -- build
for set_name in "$@"; do
	case $set_name in
	build) want="$want $build $run" ;;
	test) want="$want $build $run $test $(python_client)" ;;
	bench) want="$want $build $run $bench" ;;
	*) say "unknown set $set_name"; exit 1 ;;
	esac
done

missing_of() { for p in "$@"; do installed "$p" || echo "$p"; done | sort -u; }

raft_version() { dpkg-query -W -f '${Version}' libraft-dev 2>/dev/null || echo 0; }
raft_old() { dpkg --compare-versions "$1" lt 0.22; }

missing=$(missing_of $want)
if raft_old "$(raft_version)" && ! echo "$missing" | grep -qx libraft-dev; then
	missing="$missing libraft-dev libraft0"
fi
case " $* " in *" test "*) rt=wanted ;; *) rt= ;; esac
if [ -n "$rt" ] && [ -z "$missing" ]; then
	r=$(clang_runtime); [ -z "$r" ] || installed "$r" || missing=$r
fi
if [ -z "$missing" ]; then
	exit 0
fi

say "missing:" $missing
[ -n "$(ls /var/lib/apt/lists/*_Packages* 2>/dev/null)" ] || as_root apt-get -q -o Dpkg::Use-Pty=0 update
[ -n "$(candidate gcc)" ] || as_root apt-get -q -o Dpkg::Use-Pty=0 update

# libraft 0.22 from backports where the release itself has an older one.
target=
if echo "$missing" | grep -q libraft; then
	c=$(candidate libraft-dev)
	case $c in ''|'(none)') c=0 ;; esac
	if raft_old "$c" && ! apt-cache madison libraft-dev | grep -q -- "$codename-backports"; then
		uri=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
			awk -v c="$codename" '$2 == c && $3 == "main" { print $1; exit }')
		[ -n "$uri" ] || { say "no mirror of $codename is configured"; exit 1; }
		key=/usr/share/keyrings/debian-archive-keyring.gpg
		say "adding $codename-backports of the configured mirror"
		{
			printf 'Types: deb\nURIs: %s\nSuites: %s-backports\nComponents: main\n' "$uri" "$codename"
			[ ! -e "$key" ] || printf 'Signed-By: %s\n' "$key"
		} | as_root tee /etc/apt/sources.list.d/conclave-backports.sources >/dev/null
		as_root apt-get -q -o Dpkg::Use-Pty=0 update
	fi
	if raft_old "$c"; then target="$codename-backports"; fi
fi

if [ -n "$rt" ]; then
	r=$(clang_runtime); [ -z "$r" ] || missing="$missing $r"
fi
if [ -n "$target" ]; then
	raft=$(echo $missing | tr ' ' '\n' | grep libraft || true)
	as_root apt-get -q -o Dpkg::Use-Pty=0 install -y --no-install-recommends -t "$target" $raft
	missing=$(missing_of $missing)
fi
[ -z "$missing" ] || as_root apt-get -q -o Dpkg::Use-Pty=0 install -y --no-install-recommends $missing
say "done"
