# What the scripts share: the project's root, Debian packages, the Python venv, the build.
# Sourced by bash with `set -euo pipefail`; idempotent.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

BUILD_PACKAGES=(pkg-config libuv1-dev libcurl4-openssl-dev libssl-dev libsqlite3-dev
  python3 python3-venv curl ca-certificates)
TEST_PACKAGES=(chromium chromium-driver haproxy libnginx-mod-stream nginx openssl rclone sqlite3
  systemd testssl.sh)
COST_PACKAGES=(valgrind binutils)

say() { printf '\n\033[1m%s\033[0m\n' "$*" >&2; }

# Installs those of the Debian packages that are missing.
need_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
      missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  say "Installing ${missing[*]}"
  local sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  need_lists
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

need_lists() {
  local sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get update -qq
}

# A venv with the packages of a requirements file, which are installed again when it changes.
need_venv() { # need_venv VENV REQUIREMENTS
  local venv=$1 requirements=$2 stamp
  stamp=$venv/$(basename "$requirements").sha256
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
  if ! sha256sum --check --status "$stamp" 2>/dev/null; then
    say "Installing the Python packages of $requirements"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
    sha256sum "$requirements" >"$stamp"
  fi
}

# Prometheus's own checker of metrics and rules, without the server that Debian packs it with.
need_promtool() {
  local folder=.build-promtool
  [ -x $folder/usr/bin/promtool ] && return 0
  say "Fetching promtool"
  local download
  download=$(mktemp -d)
  (
    cd "$download"
    apt-get download -qq prometheus 2>/dev/null || {
      need_lists
      apt-get download -qq prometheus
    }
  )
  mkdir -p $folder
  dpkg-deb --fsys-tarfile "$download"/prometheus_*.deb | tar -x -C $folder ./usr/bin/promtool
  rm -rf "$download"
}

need_swift() {
  command -v swift >/dev/null || {
    echo "Swift 6.3 is needed: https://www.swift.org/install/linux/" >&2
    exit 1
  }
}
