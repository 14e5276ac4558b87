//! The one integration binary: every claim is shown through the `enact` command or the public API, on the real store.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up must stop")]
#![allow(clippy::too_many_lines, reason = "a story told in one piece reads better")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a test may say what it did")]

mod bad_input;
mod blindness;
mod boundary;
mod bundle;
mod concurrency;
mod crash;
mod decisions;
mod disk;
mod first_run;
mod governance;
mod grants;
mod hostile;
mod later;
mod ledger;
mod listen;
mod listen_queue;
mod modules;
mod modules_generated;
mod modules_hostile;
mod modules_strange;
mod money;
mod outbox;
mod output;
mod pgs;
mod proposals;
mod queue;
mod queue_claims;
mod queue_demo;
mod queue_desk;
mod queue_failures;
mod queue_outside;
mod queue_pilot;
mod queue_races;
mod queue_refused;
mod queue_work;
mod receipts;
mod registry;
mod requirements;
mod rules;
mod sandboxed;
mod signed;
mod spine;
mod stream;
mod support;
mod survival;
mod tamper;
mod templates;
mod tidy;
mod trial_balance;
mod views;
mod wasi;
mod world;
