//! Governance: every rule by the refusal that it makes, and by what holds however records are thrown at it.

mod codes;
pub(crate) mod decision;
mod flow;
mod frozen;
mod mixed;
mod queue;
mod rules;
mod threads;
mod views;
pub(crate) mod world;
