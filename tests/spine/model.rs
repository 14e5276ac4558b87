//! The spine in a few lines, written from the requirements and not from the pack: what is allowed, to whom, and what it changes.
use std::collections::{BTreeMap, BTreeSet};

use super::crew::{CAST, HUMANS, operator, subject};

/// One chain from a request on, and who is at work.
#[derive(Clone, Debug)]
pub(super) struct Model {
    chain: u32,
    /// State by subject.
    pub(super) states: BTreeMap<String, &'static str>,
    /// The latest actor of each action.
    did: BTreeMap<&'static str, String>,
    active: BTreeSet<String>,
}

impl Model {
    pub(super) fn new(chain: u32) -> Self {
        Self { chain, states: BTreeMap::new(), did: BTreeMap::new(), active: HUMANS.iter().map(ToString::to_string).collect() }
    }

    /// The state of the subject that an action is about.
    fn state(&self, action: &str) -> Option<&'static str> {
        self.states.get(&subject(action, self.chain)).copied()
    }

    fn has(who: &str, role: &str) -> bool {
        CAST.iter().any(|(name, roles)| *name == who && roles.contains(&role))
    }

    fn human(&self, who: &str) -> bool {
        self.active.contains(who)
    }

    /// Whether somebody else than `who` took these steps.
    fn apart(&self, who: &str, actions: &[&str]) -> bool {
        actions.iter().all(|action| self.did.get(action).is_none_or(|by| by != who))
    }

    /// Whether an actor may take a step now.
    pub(super) fn allows(&self, action: &str, who: &str) -> bool {
        let role = |role: &str| Self::has(who, role);
        let mine = || role("operator") && self.human(who) && who == operator(self.chain);
        let (request, task) = (self.state("REQUEST.OPEN"), self.state("TASK.OPEN"));
        let (assignment, job) = (self.state("ASSIGNMENT.MAKE"), self.state("JOB.CREATE"));
        let (event, evidence) = (self.state("SERVICE.START"), self.state("EVIDENCE.SUBMIT"));
        let (record, payment) = (self.state("RECORD.SEAL"), self.state("PAYMENT.CAPTURE"));
        let (settlement, surface) = (self.state("SERVICE_SETTLEMENT.OPEN"), self.state("SURFACE.OPEN"));
        match action {
            "REQUEST.OPEN" => role("requester") && request.is_none(),
            "REQUEST.RAISE" => role("sensor") && request.is_none(),
            "REQUEST.SUBMIT" => role("intake") && request == Some("OPEN") && self.apart(who, &["REQUEST.OPEN", "REQUEST.RAISE"]),
            "REQUEST.WITHDRAW" => role("intake") && request == Some("OPEN"),
            "TASK.OPEN" => role("intake") && task.is_none() && request == Some("SUBMITTED"),
            "TASK.REVIEW" => role("reviewer") && task == Some("OPEN") && self.apart(who, &["TASK.OPEN"]),
            "TASK.APPROVE" => role("supervisor") && task == Some("REVIEWED") && self.apart(who, &["TASK.OPEN", "TASK.REVIEW"]),
            "TASK.REJECT" => role("supervisor") && matches!(task, Some("OPEN" | "REVIEWED")) && self.apart(who, &["TASK.OPEN"]),
            "TASK.CLOSE" => role("supervisor") && matches!(task, Some("APPROVED" | "ASSIGNED")) && self.apart(who, &["TASK.OPEN"]),
            "TASK.ANNOTATE" => role("admin") && matches!(task, Some("OPEN" | "REVIEWED" | "APPROVED" | "ASSIGNED")),
            "ROUTING.STATE" => role("router") && task.is_some(),
            "ASSIGNMENT.MAKE" => {
                role("dispatcher")
                    && self.human(who)
                    && self.human(operator(self.chain))
                    && assignment.is_none()
                    && task == Some("APPROVED")
            }
            "TASK.ASSIGN" => role("dispatcher") && self.human(who) && task == Some("APPROVED") && assignment == Some("MADE"),
            "ASSIGNMENT.RELEASE" => role("dispatcher") && self.human(who) && assignment == Some("MADE") && job.is_none(),
            "JOB.CREATE" => {
                role("coordinator") && self.human(who) && job.is_none() && task == Some("ASSIGNED") && assignment == Some("MADE")
            }
            "JOB.ANNOTATE" => role("admin") && job == Some("CREATED"),
            "JOB.CANCEL" => role("coordinator") && self.human(who) && job == Some("CREATED"),
            "JOB.CLAIM" => mine() && job == Some("CREATED"),
            "JOB.COMPLETE" => mine() && job == Some("CLAIMED"),
            "SERVICE.START" => mine() && event.is_none() && job == Some("CLAIMED"),
            "SERVICE.COMPLETE" => mine() && event == Some("ACTIVE") && evidence == Some("VALIDATED") && surface != Some("PARTIAL"),
            "SERVICE.REPORT_PARTIAL" => mine() && event == Some("ACTIVE"),
            "EVIDENCE.SUBMIT" => mine() && evidence.is_none() && event == Some("ACTIVE"),
            "EVIDENCE.VALIDATE" | "EVIDENCE.REJECT" => {
                role("inspector") && self.human(who) && evidence == Some("SUBMITTED") && self.apart(who, &["EVIDENCE.SUBMIT"])
            }
            "RECORD.SEAL" => mine() && record.is_none() && event == Some("COMPLETED"),
            "PAYMENT.CAPTURE" => role("commerce") && payment.is_none(),
            "PAYMENT.RETURN" => role("commerce") && payment == Some("CAPTURED") && settlement.is_none(),
            "SERVICE_SETTLEMENT.OPEN" => role("settler") && settlement.is_none() && record == Some("SEALED") && payment == Some("CAPTURED"),
            "SERVICE_SETTLEMENT.SETTLE" => role("settler") && settlement == Some("OPEN") && self.apart(who, &["SERVICE_SETTLEMENT.OPEN"]),
            "SURFACE.OPEN" => mine() && surface.is_none() && event == Some("ACTIVE"),
            "SURFACE.STAGE" | "SURFACE.FINISH" => mine() && surface == Some("PARTIAL") && event == Some("ACTIVE"),
            "OBSERVATION.NOTE" => {
                ["omni", "executive", "admin", "workforce", "commerce"].iter().any(|name| role(name)) && request.is_some()
            }
            other => panic!("no {other}"),
        }
    }

    /// Takes a step that is allowed.
    pub(super) fn take(&mut self, action: &'static str, who: &str) {
        let to = match action {
            "REQUEST.OPEN" | "REQUEST.RAISE" | "TASK.OPEN" | "SERVICE_SETTLEMENT.OPEN" => Some("OPEN"),
            "REQUEST.SUBMIT" => Some("SUBMITTED"),
            "REQUEST.WITHDRAW" => Some("WITHDRAWN"),
            "TASK.REVIEW" => Some("REVIEWED"),
            "TASK.APPROVE" => Some("APPROVED"),
            "TASK.REJECT" | "EVIDENCE.REJECT" => Some("REJECTED"),
            "TASK.ASSIGN" => Some("ASSIGNED"),
            "TASK.CLOSE" => Some("CLOSED"),
            "ASSIGNMENT.MAKE" => Some("MADE"),
            "ASSIGNMENT.RELEASE" => Some("RELEASED"),
            "JOB.CREATE" => Some("CREATED"),
            "JOB.CANCEL" => Some("CANCELLED"),
            "JOB.CLAIM" => Some("CLAIMED"),
            "JOB.COMPLETE" | "SERVICE.COMPLETE" => Some("COMPLETED"),
            "SERVICE.START" => Some("ACTIVE"),
            "SERVICE.REPORT_PARTIAL" | "SURFACE.OPEN" => Some("PARTIAL"),
            "EVIDENCE.SUBMIT" => Some("SUBMITTED"),
            "EVIDENCE.VALIDATE" => Some("VALIDATED"),
            "RECORD.SEAL" => Some("SEALED"),
            "PAYMENT.CAPTURE" => Some("CAPTURED"),
            "PAYMENT.RETURN" => Some("RETURNED"),
            "SERVICE_SETTLEMENT.SETTLE" => Some("SETTLED"),
            "SURFACE.FINISH" => Some("COMPLETE"),
            // Remarks and statements move nothing.
            _ => None,
        };
        if let Some(to) = to {
            self.states.insert(subject(action, self.chain), to);
        }
        self.did.insert(action, who.to_owned());
    }

    /// Somebody is suspended, or back.
    pub(super) fn present(&mut self, who: &str, active: bool) {
        if active {
            self.active.insert(who.to_owned());
        } else {
            self.active.remove(who);
        }
    }
}
