//! The refusals of governance: one code per reason, in the order in which they are checked.
//!
//! The order of the variants is the order of checks of `protocol/governance.md`; comparing two codes says which comes first. Only
//! the codes live here, not the facts of a refusal and not the checks.

use core::fmt;

use serde::{Serialize, Serializer};

/// A group of checks. Stages run one after the other; the first failure of the first failing stage is the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Is it a record of a declared type and action, with the payload declared for it?
    Schema,
    /// Does it follow what its author has seen?
    Chain,
    /// May this actor say this?
    Authority,
    /// May the subject take this step?
    Lifecycle,
    /// Does everything else that was asked for hold?
    Guards,
    /// Is everything that it uses up still there?
    Consumed,
    /// Do the movements add up?
    Postings,
}

impl Stage {
    /// The word of this stage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Chain => "chain",
            Self::Authority => "authority",
            Self::Lifecycle => "lifecycle",
            Self::Guards => "guards",
            Self::Consumed => "consumed",
            Self::Postings => "postings",
        }
    }
}

macro_rules! codes {
    ($($stage:ident { $($variant:ident $code:literal $doc:literal $hint:literal)* })*) => {
        /// Why a governed record was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum GovernCode { $($(
            #[doc = $doc]
            $variant,
        )*)* }

        impl GovernCode {
            /// Every code, in the order of checks.
            pub const ALL: &'static [Self] = &[$($(Self::$variant,)*)*];

            /// The stable code.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($(Self::$variant => $code,)*)* }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $($(Self::$variant => $doc,)*)* }
            }

            /// The stage that it belongs to.
            #[must_use]
            pub const fn stage(self) -> Stage {
                match self { $($(Self::$variant => Stage::$stage,)*)* }
            }

            /// What to do about it, where that can be said without knowing the record.
            #[must_use]
            pub fn hint(self) -> Option<&'static str> {
                let hint = match self { $($(Self::$variant => $hint,)*)* };
                Some(hint).filter(|hint| !hint.is_empty())
            }
        }
    };
}

codes! {
    Schema {
        RecordField "record_field" "a field of the record is empty, too long, malformed, or out of place" ""
        RecordType "record_type" "no lifecycle of the protocol in force declares this record type" "adopt a snapshot that declares it, or correct the type"
        RecordAction "record_action" "the record type has no such action" ""
        RecordKind "record_kind" "the record type is declared as another kind" ""
        RecordSubject "record_subject" "the subject is not of the type that the lifecycle names" ""
        PayloadUnknown "payload_unknown" "the payload has a member that the action does not declare" "leave the member out, or declare it under `fields`"
        PayloadMissing "payload_missing" "the payload lacks a required member" ""
        PayloadType "payload_type" "a member of the payload is not of the declared type" ""
        RecordPostings "record_postings" "legs where none belong, or none where they are needed" ""
        PostingAmount "posting_amount" "an amount is not a whole number from 1 to 2^128 - 1 in its one spelling" "write minor units as decimal text without sign and leading zero"
        EffectUnknown "effect_unknown" "a proposal lists an effect that no decision contract has" "name one of the effects of the `DC_`"
        EffectField "effect_field" "a member of an effect is missing, not declared, or not of its type" ""
    }
    Chain {
        ChainProtocol "chain_protocol" "the entry is made under another protocol than the one in force" "judge the record again under the snapshot in force"
        ChainPrev "chain_prev" "`refs.prev` is not the last record of the subject" "read the subject again and build the record upon its last one"
        ChainVersion "chain_version" "the version number does not continue the chain" ""
        ChainProposal "chain_proposal" "the proposal is not open, or one more cannot be opened" "name an open proposal by its record hash in `refs.proposal`"
        ChainStale "chain_stale" "the chain has changed since the proposal" "propose again upon the version that is active"
        ChainAltered "chain_altered" "the ratification differs from the proposal" "ratify what was proposed, or propose something else"
        ChainValueType "chain_value_type" "the value has another type than that of the active version" ""
        ChainKept "chain_kept" "a member of the payload that may be set once has another value already" ""
    }
    Authority {
        ActorUnknown "actor_unknown" "no such actor" "register the actor first"
        ActorRevoked "actor_revoked" "the actor was revoked" ""
        ActorSuspended "actor_suspended" "the actor is suspended" "resume the actor first"
        AuthorityNone "authority_none" "no row allows this action to this kind of actor" "what no row allows is denied; add a row to an authorization matrix"
        AuthorityRole "authority_role" "the actor holds none of the roles" ""
        AuthorityScope "authority_scope" "the record is outside the scope of the grant, or names no scope" ""
        AuthoritySeat "authority_seat" "the record does not name the seat, or the actor does not sit on it" ""
        AuthorityCharter "authority_charter" "the seat was not granted under a ratified charter" "ratify the charter, or grant the seat under one that is"
        AuthorityDistinct "authority_distinct" "another actor must have performed an earlier action" "let somebody else do this"
        AuthorityCeiling "authority_ceiling" "more than the row allows in one record" ""
        SignatureMissing "signature_missing" "the record is not signed" "sign the record with the key of its actor"
        SignatureInvalid "signature_invalid" "the signature does not hold for this record, ledger and key" ""
        AccessMissing "access_missing" "the record does not name the decision it relies on" "put the record hash of the ALLOW into `auth`"
        AccessUnknown "access_unknown" "there is no decision about this subject, action and policy" ""
        AccessSuperseded "access_superseded" "the decision relied on is not the latest" ""
        AccessDenied "access_denied" "the latest decision is DENY" ""
    }
    Lifecycle {
        LifecycleMissing "lifecycle_missing" "the subject, or what is to be taken from it, does not exist" ""
        LifecycleExists "lifecycle_exists" "the subject, or what is to be given to it, exists already" ""
        LifecycleTerminal "lifecycle_terminal" "the subject has ended" ""
        LifecycleEdge "lifecycle_edge" "the action does not leave the state in which the subject is" ""
    }
    Guards {
        ExecutionRun "execution_run" "what a queue contract executes is recorded with the receipt of its run" "queue the item; a worker executes it"
        ProtocolFrozen "protocol_frozen" "the snapshot has otherwise what the one in force has frozen" "give what is to differ another code, and leave the frozen artifact as it is"
        DecisionMissing "decision_missing" "what a decision brings about is recorded with the decision, or not at all" "open a proposal, have it decided, and let `enact decide` carry it out"
        DecisionEffects "decision_effects" "the entry is not exactly what was decided" "let `enact decide` draft it"
        GuardStateIn "guard_state_in" "a subject is in none of the states asked for" ""
        GuardExists "guard_exists" "a subject does not exist" ""
        GuardKeyUnconsumed "guard_key_unconsumed" "a key was used up already" ""
        GuardVersionRatified "guard_version_ratified" "a chain has no active version, or another one" ""
        GuardActorsDistinct "guard_actors_distinct" "the actor has done one of the other actions" "let somebody else do this"
        GuardFieldEquals "guard_field_equals" "two values differ, or one is missing" ""
        GuardFieldIn "guard_field_in" "a value is none of those listed, or missing" ""
        GuardFieldPositive "guard_field_positive" "a value is not above zero" ""
        GuardTimeWindow "guard_time_window" "outside the window of time" ""
        InvariantViolated "invariant_violated" "an invariant answered something else than SUCCESS" ""
        InvariantFailed "invariant_failed" "an invariant failed to answer" ""
    }
    Consumed {
        ConsumesMismatch "consumes_mismatch" "the keys are not those that the action uses up" ""
        KeyConsumed "key_consumed" "a key was used up already" "a key works once, for ever"
    }
    Postings {
        PostingMismatch "posting_mismatch" "the legs are not those that the action prescribes" ""
        PostingAccount "posting_account" "no such account" ""
        PostingAsset "posting_asset" "no such asset, or not in this account or action" ""
        PostingClass "posting_class" "this class of account may not be on this side" ""
        PostingUnbalanced "posting_unbalanced" "debits and credits of an asset differ" ""
        PostingOverflow "posting_overflow" "a total exceeds 2^128 - 1" ""
        PostingFloor "posting_floor" "an account would fall below its floor" ""
        AssetExpired "asset_expired" "the lot has expired and can only be credited to a sink" ""
        AssetUndepreciated "asset_undepreciated" "more of the lot is left than its remaining life allows" "credit the difference to a sink first"
        AssetRatio "asset_ratio" "not the ratio in which one asset becomes the other" ""
        AssetNotTransferable "asset_not_transferable" "the holder cannot pass this asset on" ""
    }
}

impl fmt::Display for GovernCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for GovernCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
