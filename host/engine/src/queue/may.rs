//! Who may work: somebody whom no row lets execute is told so at the start, before an item is touched, and not by every item's failure.
use enact_core::govern::contract::Contract;
use enact_core::govern::row::{ActorRow, Status};
use enact_core::state::{Space, StateView as _};
use enact_store::Moment;

use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::govern::{Ruled, row};

/// Whether some row may let the actor execute an item of this contract. What else the row asks for is judged with each record.
///
/// # Errors
/// `authority_role` when it holds no such role.
pub(crate) fn executes(ruled: &Ruled, contract: &Contract, moment: &Moment<'_>, actor: &str) -> Result<()> {
    let rules = &ruled.protocol;
    let held = moment.get(Space::Actor, actor)?.map(|text| row::<ActorRow>(&text, "actor", actor)).transpose()?;
    let held = held.filter(|row| row.status == Status::Active);
    let action = rules.lifecycle(&contract.decl.record).and_then(|lifecycle| lifecycle.actions.get(&contract.decl.actions.execute));
    let may = held.zip(action).is_some_and(|(actor, action)| {
        rules.rows_of(action).any(|row| row.decl.roles.is_empty() || actor.roles.iter().any(|grant| row.decl.roles.contains(&grant.role)))
    });
    if may {
        return Ok(());
    }
    Err(EngineError::Queue {
        code: "authority_role",
        detail: format!("no row lets `{actor}` perform `{}`", contract.decl.actions.execute),
        hint: Some("let an actor work that has the role; list them with `enact actor list`"),
    })
}

impl Engine {
    /// Whether an actor may work at all: under one of the contracts in force, if there are any.
    pub(super) fn queue_may_work(&self, actor: &str) -> Result<()> {
        let mut reader = self.store().reader()?;
        let moment = reader.moment(None)?;
        let protocol = self.in_force(&moment)?;
        let ruled = self.rules(&protocol, &moment)?;
        let mut refused = None;
        for contract in ruled.protocol.contracts() {
            match executes(&ruled, contract, &moment, actor) {
                Ok(()) => return Ok(()),
                Err(EngineError::Queue { code, detail, hint }) => refused = Some(EngineError::Queue { code, detail, hint }),
                Err(error) => return Err(error),
            }
        }
        refused.map_or(Ok(()), Err)
    }
}
