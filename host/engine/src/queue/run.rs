//! Running what a contract asks for, without committing it: the result waits for the record that speaks of it.
use enact_core::entry::Record;
use enact_core::govern::contract::{self, Contract, Hook, RunFacts};
use enact_core::hash::derived;
use enact_core::state::StateView;
use enact_queue::id::QueueId;
use enact_queue::retry::Failure;
use enact_store::{Reader, StoreError, WorkRun};
use serde_json::Value;

use super::class;
use super::item::{refused_item, stored_time};
use crate::engine::{Engine, Job, RunRequest};
use crate::error::{EngineError, Kind, Result};
use crate::govern::Ruled;

/// What the keys of an item are derived with.
const ITEM_CONTEXT: &str = "enact item v1";

/// A run that succeeded.
#[derive(Debug, Clone)]
pub(crate) struct Ran {
    /// Its receipt.
    pub(crate) receipt: Record,
    /// What records may say of it.
    pub(crate) facts: RunFacts,
    /// What is stored beside the entry.
    pub(crate) run: WorkRun,
}

/// How a run came out.
pub(crate) enum Outcome {
    /// It may be committed.
    Ran(Box<Ran>),
    /// It ended otherwise; nothing of it is kept.
    Failed(Failure),
}

impl Engine {
    /// Runs the workflow of a hook about an item; `None` when the contract asks for none.
    ///
    /// # Errors
    /// What kept it from being tried at all.
    pub(crate) fn queue_run(
        &self,
        contract_code: &str,
        hook: Hook,
        reader: &mut Reader,
        (item, subject): (&QueueId, &str),
        actor: &str,
        attempt: u32,
    ) -> Result<Option<Outcome>> {
        let request = {
            let moment = reader.moment(None)?;
            let protocol = self.in_force(&moment)?;
            let ruled = self.rules(&protocol, &moment)?;
            self.queue_request(&ruled, contract_code, hook, &moment, subject, actor)?
        };
        request.map(|request| self.queue_execute(&request, hook, item, reader, attempt)).transpose()
    }

    /// What a hook asks to be run; `None` when the contract asks for nothing.
    pub(crate) fn queue_request<V: StateView<Error = StoreError> + ?Sized>(
        &self,
        ruled: &Ruled,
        contract_code: &str,
        hook: Hook,
        view: &V,
        subject: &str,
        actor: &str,
    ) -> Result<Option<RunRequest>> {
        let contract: &Contract = super::item::named_contract(&ruled.protocol, contract_code)?;
        let Some((workflow, binding)) = contract.workflow(hook) else { return Ok(None) };
        let at = stored_time(self.queue_now());
        let about = contract::Item { subject, actor, at: &at };
        let payload = contract::payload(&ruled.protocol, contract, view, &about, hook).map_err(refused_item)?;
        Ok(Some(RunRequest {
            workflow: workflow.to_owned(),
            payload: Value::Object(payload),
            binding: binding.map(str::to_owned),
            ..RunRequest::default()
        }))
    }

    /// Runs it, as one attempt at this hook of the item: whatever it asks of the world outside carries keys that all attempts have.
    pub(crate) fn queue_execute(
        &self,
        request: &RunRequest,
        hook: Hook,
        item: &QueueId,
        reader: &mut Reader,
        attempt: u32,
    ) -> Result<Outcome> {
        let job = self.job(request).map(|job| Job { keys: Some(self.item_key(hook, item)), ..job });
        let prepared = match job.and_then(|job| self.execute(&job, reader, attempt)) {
            Ok(prepared) => prepared,
            // No attempt mends what is stored.
            Err(error) if error.kind() == Kind::Integrity => return Err(error),
            Err(error) => return Ok(Outcome::Failed(class::of_error(&error))),
        };
        if prepared.report.exit.class != "SUCCESS" {
            return Ok(Outcome::Failed(class::of_exit(&prepared.report.exit)));
        }
        let commit = prepared.commit;
        let receipt = commit.draft.records.into_iter().next();
        let receipt = receipt.ok_or_else(|| EngineError::Internal { detail: "a run without a receipt".to_owned() })?;
        // The receipt was made of the same report: it need not be read again.
        let context = prepared.report.context_hash.parse();
        let facts = RunFacts {
            id: prepared.report.run_id,
            receipt: receipt.hash().map_err(|e| EngineError::Internal { detail: e.to_string() })?,
            context: context.map_err(|_| EngineError::Internal { detail: "a run without a context hash".to_owned() })?,
            output: prepared.report.payload,
        };
        let run = WorkRun { run: commit.run, reads: commit.reads, writes: commit.writes };
        Ok(Outcome::Ran(Box::new(Ran { receipt, facts, run })))
    }

    /// Names what a hook does about an item of this ledger: equal for all attempts, and different from what any other ledger does.
    fn item_key(&self, hook: Hook, item: &QueueId) -> String {
        // Ids of items and verifier keys have no spaces.
        let hook = match hook {
            Hook::Execute => "execute",
            Hook::Settle => "settle",
            Hook::Fulfill => "fulfill",
        };
        let text = format!("{} {hook} {item}", self.verifier_key());
        let hash = derived(ITEM_CONTEXT, text.as_bytes()).bytes;
        format!("ITEM-{}", hex::encode(&hash[..16]))
    }
}
