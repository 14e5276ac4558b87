#!/usr/bin/env bash
# Builds the fuzz targets and runs each for a while: tests/fuzz/run.sh [SECONDS] [TARGET…]. Needs a C++ compiler.
# What they find is kept under target/fuzz/<target>: the corpus, and inputs that failed, which this script ends with.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(artifact admission canonical entry transcript)
RUSTC_WORKSPACE_WRAPPER="$PWD/tests/fuzz/instrument.sh" cargo build --release --quiet -p enact-fuzz --features fuzz --bins
seeds() {
  case $1 in
    artifact) find protocol/packs -path '*/artifacts/*.json' ;;
    admission) find capabilities -maxdepth 2 -name '*.wasm' -size -160k ;;
    *) find protocol/vectors protocol/packs -name '*.json' -size -16k ;;
  esac
}
run() {
  local target=$1 dir=target/fuzz/$1 n=0
  mkdir -p "$dir/corpus" "$dir/seeds" "$dir/failures"
  while read -r file; do
    n=$((n + 1))
    # The first byte of an artifact's input chooses its kind.
    if [ "$target" = artifact ]; then printf '%b' "\\x$(printf '%02x' $((n % 14)))" | cat - "$file" >"$dir/seeds/$n"; else cp "$file" "$dir/seeds/$n"; fi
  done < <(seeds "$target")
  "target/release/fuzz-$target" "$dir/corpus" "$dir/seeds" -artifact_prefix="$dir/failures/" -max_total_time="$seconds" -timeout=30 -rss_limit_mb=2048 \
    -max_len=200000 -print_final_stats=1 >"$dir/log" 2>&1 || { tail -40 "$dir/log"; echo "fuzz-$target failed: see $dir/failures"; return 1; }
  echo "fuzz-$target: $(grep -o 'stat::number_of_executed_units: *[0-9]*' "$dir/log" | grep -o '[0-9]*$') inputs, $(grep -o 'cov: [0-9]*' "$dir/log" | tail -1)"
}
pids=()
for target in "${targets[@]}"; do
  run "$target" & pids+=($!)
  # Two at a time: more would only share the cores.
  if [ ${#pids[@]} -eq 2 ]; then wait "${pids[0]}"; wait "${pids[1]}"; pids=(); fi
done
for pid in "${pids[@]}"; do wait "$pid"; done
