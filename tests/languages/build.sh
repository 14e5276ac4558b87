#!/usr/bin/env bash
# Builds a project of `enact module new` as its README says: build.sh LANGUAGE PROJECT TOOLS. Tools are installed into TOOLS, once.
set -euo pipefail
language=$1 project=$2 tools=$3
mkdir -p "$tools"

pip_install() { # package==version
  [ -x "$tools/python/bin/python3" ] || python3 -m venv "$tools/python"
  "$tools/python/bin/python3" -m pip show -q "${1%%==*}" 2>/dev/null || "$tools/python/bin/python3" -m pip install -q "$1"
  export PATH="$tools/python/bin:$PATH"
}

cd "$project"
case "$language" in
rust)
  export CARGO_TARGET_DIR="$tools/rust"
  if [ -d "$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown" ]; then
    sh build.sh --quiet
  else
    # Where rustup has no such target: the distribution's Rust with the sources of its library, and the linkers of the host's Rust.
    linkers="$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin"
    PATH="/usr/bin:$linkers:$linkers/gcc-ld:$PATH" RUSTC_BOOTSTRAP=1 sh build.sh --quiet -Zbuild-std=std,panic_abort
  fi
  ;;
c)
  pip_install ziglang==0.17.1
  [ -d node_modules ] || npm install --silent
  npm run --silent build
  ;;
javascript | assemblyscript)
  [ -d node_modules ] || npm install --silent
  npm run --silent build
  ;;
python)
  pip_install "$(cat requirements.txt)"
  sh build.sh
  ;;
*)
  echo "no language $language" >&2
  exit 2
  ;;
esac
