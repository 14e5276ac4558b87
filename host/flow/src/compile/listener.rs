//! What a listener starts must be there. What it listens for is checked where records are understood.

use super::Checker;
use crate::artifact::{Artifact, Listener};

impl<'a> Checker<'a> {
    pub(super) fn listener(&mut self, listener: &'a Listener) {
        if !matches!(self.get(&listener.workflow), Some(Artifact::Workflow(_))) {
            self.missing(&listener.code, "workflow", &listener.workflow);
        }
        if let Some(binding) = &listener.binding
            && !matches!(self.get(binding), Some(Artifact::Binding(_)))
        {
            self.missing(&listener.code, "binding", binding);
        }
    }
}
