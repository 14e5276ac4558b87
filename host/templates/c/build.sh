#!/bin/sh
# Builds both modules: C -> core module -> component. `CC` names another zig, for example CC="zig cc".
set -eu
cd "$(dirname "$0")"
CC=${CC:-python3 -m ziglang cc}

build() { # folder, world
  # No standard library and no entry point, so nothing can be imported that the sources do not name. The stack lies below the data (the default):
  # an overflow traps instead of overwriting anything. 256 KiB hold an ordinary call, so memory does not grow.
  $CC -target wasm32-freestanding -mcpu=mvp+mutable_globals+sign_ext+nontrapping_fptoint+bulk_memory \
    -std=c11 -O2 -Wall -Wextra -Werror -ffreestanding -fno-builtin -nostdlib -Isrc \
    -Wl,--no-entry,-z,stack-size=65536,--initial-memory=262144,--strip-all \
    -o "$1/core.wasm" "$1/module.c"
  node componentize.mjs "$1/core.wasm" "$2" "$1/{{name}}-$1.wasm"
  rm -f "$1/core.wasm"
  echo "$1/{{name}}-$1.wasm"
}

build transform transform-module
build effect side-effect-module
