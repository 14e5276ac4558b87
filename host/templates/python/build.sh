#!/bin/sh
# Builds both modules: Python -> component, with the interpreter inside.
set -eu
cd "$(dirname "$0")"

build() { # folder, world
  # WASI becomes stubs that trap: no files, no sockets, no clock, no chance.
  (cd "$1" && componentize-py -d ../wit -w "$2" componentize --stub-wasi module -o "{{name}}-$1.wasm")
  python3 finish.py "$1/{{name}}-$1.wasm"
  echo "$1/{{name}}-$1.wasm"
}

build transform transform-module
build effect "{{name}}-effect"
