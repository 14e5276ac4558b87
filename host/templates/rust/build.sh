#!/bin/sh
# Builds both modules. Further arguments go to cargo.
set -eu
cd "$(dirname "$0")"
target=wasm32-unknown-unknown
# No operating system in the target, so nothing can be imported that the WIT does not name.
cargo build --release --target "$target" "$@"
for folder in transform effect; do
  cp "${CARGO_TARGET_DIR:-target}/$target/release/$(echo "{{name}}-$folder" | tr - _).wasm" "$folder/{{name}}-$folder.wasm"
  echo "$folder/{{name}}-$folder.wasm"
done
