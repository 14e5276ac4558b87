#!/usr/bin/env bash
# The compiler for crates of this workspace: the same, with coverage for libFuzzer. Build scripts and macros run on the host and are left alone.
set -euo pipefail
case " $* " in
  *" build_script_build "* | *" --crate-type proc-macro "* | *" --print "*) exec "$@" ;;
esac
exec "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1
