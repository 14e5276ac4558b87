//! What a listener starts must be there. What it listens for is checked where records are understood.

use super::Checker;
use crate::artifact::{Artifact, Listener};

/// What codes of queue contracts begin with.
const CONTRACT: &str = "QC_";

impl<'a> Checker<'a> {
    pub(super) fn listener(&mut self, listener: &'a Listener) {
        if let Some(workflow) = &listener.workflow
            && !matches!(self.get(workflow), Some(Artifact::Workflow(_)))
        {
            self.missing(&listener.code, "workflow", workflow);
        }
        if let Some(binding) = &listener.binding
            && !matches!(self.get(binding), Some(Artifact::Binding(_)))
        {
            self.missing(&listener.code, "binding", binding);
        }
        if let Some(queue) = &listener.queue
            && !(queue.starts_with(CONTRACT) && matches!(self.get(queue), Some(Artifact::Governance(_))))
        {
            self.missing(&listener.code, "queue", queue);
        }
    }
}
