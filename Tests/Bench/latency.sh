#!/usr/bin/env bash
# Builds latency.c with the reactor's sources and prints its table: medians of ROUNDS rounds, in
# which all settings take turns. Started by `scripts/bench latency [ROUNDS [SECONDS]]`.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
rounds=${1:-3} seconds=${2:-5}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
read -ra flags <<<"$(pkg-config --cflags --libs libuv libcurl openssl)"
clang -O2 -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wconversion -Wvla -Werror \
  -ISources/CReactor/include -o "$folder/latency" Tests/Bench/latency.c Sources/CReactor/*.c \
  "${flags[@]}"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
  -addext subjectAltName=IP:127.0.0.1 -keyout "$folder/key.pem" -out "$folder/cert.pem" 2>/dev/null

settings=()
for delay in 0 80; do
  for callers in 64 512 4096; do
    for cap in 32 1024 0; do settings+=("$delay $callers $cap"); done
  done
done
for ((round = 1; round <= rounds; round++)); do
  say "Round $round of $rounds"
  for setting in "${settings[@]}"; do
    read -ra words <<<"$setting"
    line=$(timeout 120 "$folder/latency" "$folder/cert.pem" "$folder/key.pem" "${words[@]}" \
      "$seconds")
    echo "$line" >>"$folder/${setting// /-}"
  done
done

median() { sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }
echo "| delay of the upstream, ms | callers | cap | answers a second | CPU of one, µs | wait p50, ms | p99 |"
echo "|---|---|---|---|---|---|---|"
for setting in "${settings[@]}"; do
  read -ra words <<<"$setting"
  [ "${words[2]}" = 0 ] && words[2]=adapts
  printf '| %s | %s | %s |' "${words[@]}"
  for column in 1 2 3 4; do
    printf ' %s |' "$(awk -v column=$column '{ print $column }' "$folder/${setting// /-}" | median)"
  done
  echo
done
