//! Why something could not be decided or done. A refusal by a rule is usually data; here are the ones that end a command.
//!
//! Codes are stable and listed in `protocol/errors.md`; prose may change and never reaches a hash.
use std::path::{Path, PathBuf};

use enact_flow::bind::BindingReport;
use enact_flow::problem::Problem;
use enact_store::StoreError;

use crate::bundle;

/// Result of the engine.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;

/// Who has to act on an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whoever called: a wrong name, a missing file, bad input.
    Caller,
    /// A rule refused the work; nothing was changed.
    Refused,
    /// Stored bytes are not what they claim to be.
    Integrity,
    /// Our own defect or a machine that gave up.
    Internal,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the variants' messages say what they are; fields are the facts in them")]
pub enum EngineError {
    #[error("no workspace at `{}`", path.display())]
    NoWorkspace { path: PathBuf },
    #[error("`{}` is a workspace already", path.display())]
    WorkspaceExists { path: PathBuf },
    #[error("`{}` holds `{found}` but no `enact.toml`", path.display())]
    WorkspaceIncomplete { path: PathBuf, found: String },
    #[error("cannot {verb} `{}`", path.display())]
    File { verb: &'static str, path: PathBuf, source: std::io::Error },
    #[error("`{}` is larger than the {bytes_max} bytes allowed", path.display())]
    FileTooLarge { path: PathBuf, bytes_max: u64 },
    #[error("the configuration is not valid: {detail}")]
    Config { detail: String },
    #[error("`{origin}` cannot name a ledger")]
    Origin { origin: String },
    #[error("{}", no_key(name))]
    Key { name: String },
    #[error("the key that signs the ledger of `{}` is not here", path.display())]
    NoLedgerKey { path: PathBuf },
    #[error("a kept checkpoint cannot be used: {detail}")]
    Checkpoint { detail: String },
    #[error("{detail}")]
    Bundle { code: &'static str, detail: String },
    #[error("`{key}` is no Ed25519 public key in base64")]
    PublicKey { key: String },
    #[error("{what} is not valid JSON: {detail}")]
    Json { what: String, detail: String },
    #[error("the payload must be a JSON object, got {got}")]
    PayloadShape { got: &'static str },
    #[error("the payload cannot be recorded: {detail}")]
    PayloadValue { detail: String },
    #[error("the payload has {bytes} bytes of the {bytes_max} allowed")]
    PayloadSize { bytes: usize, bytes_max: usize },
    #[error("`{name}` cannot name an artifact")]
    ArtifactName { name: String },
    #[error("the protocol was not sealed")]
    NotSealed,
    #[error("there are no artifacts in `{}`", path.display())]
    NoSources { path: PathBuf },
    #[error("the protocol has {} problem(s): {}", problems.len(), first(problems))]
    Protocol { problems: Vec<Problem> },
    #[error("`protocol.lock` was altered: {}", .problem.detail)]
    LockAltered { problem: Box<Problem> },
    #[error("{}: {} `{}` in `{}`: {}", .0.phase, .0.check, .0.binding, .0.artifact, .0.detail)]
    Binding(Box<BindingReport>),
    #[error("the schema of `{intent}` cannot be used: {detail}")]
    IntentSchema { intent: String, detail: String },
    #[error("module `{digest}` is not in this workspace")]
    ModuleMissing { digest: String },
    #[error("a module is not the one it was sealed as: expected {expected}, got {got}")]
    ModuleDigest { expected: String, got: String },
    #[error("module `{module}` was refused: {detail}")]
    ModuleRefused { module: String, code: String, detail: String },
    #[error("module `{module}` is not admitted: {}", reasons.first().map_or("", |reason| &reason.detail))]
    ModuleUnfit { module: String, reasons: Vec<crate::admission::Reason> },
    #[error("the module could not be examined: {detail}")]
    NotExamined { code: String, detail: String },
    #[error("module `{module}` ({digest}) was never admitted to this ledger")]
    ModuleUnadmitted { module: String, digest: String },
    #[error("module `{module}` ({digest}) was retired by entry {seq}")]
    ModuleRetired { module: String, digest: String, seq: u64 },
    #[error("`{name}` cannot name a module")]
    ModuleName { name: String },
    #[error("no module `{name}` here")]
    NoModule { name: String },
    #[error("{detail}")]
    NoSecret { detail: String },
    #[error("no message `{id}` here")]
    NoMessage { id: String },
    #[error("{row} is not granted")]
    NoGrant { row: String },
    #[error("the row of {row} says something else of `{name}`")]
    GrantDiffers { row: String, name: &'static str },
    #[error("`{name}` is a {world}, and cannot serve `{capability}`")]
    ModuleWorld { name: String, world: String, capability: String },
    #[error("`{key}` is the key of no open intent")]
    NoIntent { key: String },
    #[error("no version of `{name}` waits for ratification")]
    ModuleNotProposed { name: String },
    #[error("{} versions of `{name}` wait for ratification", open.len())]
    ModuleProposals { name: String, open: Vec<crate::admission::record::Open> },
    #[error("another examination of `{name}` found something else: {detail}")]
    AdmissionDiffers { name: String, detail: String },
    #[error("the signature does not vouch for this module: {detail}")]
    ModuleSignature { detail: String },
    #[error("the file is no exported module: {detail}")]
    ModuleArchive { detail: String },
    #[error("{what} cannot be tried: {detail}")]
    Vectors { what: String, detail: String },
    #[error("the sandbox could not be set up: {detail}")]
    Sandbox { detail: String },
    #[error("the run cannot be decided: step {step} (`{capability}`) ended in `{code}`")]
    Inconclusive { step: u32, capability: String, code: String },
    #[error("step {step} (`{capability}`) failed {attempts} times for a reason of this machine: `{code}`")]
    Infrastructure { step: u32, capability: String, code: String, attempts: u32 },
    #[error("the run met other runs' writes {attempts} times")]
    Contention { attempts: u32 },
    #[error("the commit was refused: {detail}")]
    Rejected { code: &'static str, detail: String },
    #[error("no artifact `{code}` in the sealed protocol")]
    NoArtifact { code: String },
    #[error("{what} is no proposal: {detail}")]
    Proposal { what: String, code: &'static str, detail: String },
    #[error("`{actor}` cannot name an actor of this workspace")]
    ActorName { actor: String },
    #[error("this ledger was founded by `{by}`; nobody else can found it")]
    Founded { by: String },
    #[error("this workspace holds no key of `{actor}` (`{file}`)")]
    NoActorKey { actor: String, file: String },
    #[error("`{listener}` queues items, and nobody is named who proposes them")]
    NoListenerActor { listener: String },
    #[error("no subject `{subject}` in this ledger")]
    NoSubject { subject: String },
    #[error("nothing was ever posted to `{account}`")]
    NoAccount { account: String },
    #[error("there is no story `{story}`; there are {stories}")]
    NoStory { story: String, stories: String },
    #[error("`{name}` cannot name a project")]
    ProjectName { name: String },
    #[error("`{}` is not empty", path.display())]
    FolderNotEmpty { path: PathBuf },
    #[error("no view `{view}` in the protocol in force")]
    NoView { view: String },
    #[error("view `{view}` has no column `{column}`, its columns are {columns}")]
    ViewColumn { view: String, column: String, columns: String },
    #[error("no snapshot `{snapshot}` in this ledger")]
    NoSnapshot { snapshot: String },
    #[error("the queue refuses: {detail}")]
    Queue { code: &'static str, detail: String, hint: Option<&'static str> },
    #[error("no decision: {detail}")]
    Decision { code: &'static str, detail: String },
    #[error("refused: {}", .0.detail)]
    Refused(Box<crate::govern::RefusedProposal>),
    #[error("no record `{record}` in this ledger")]
    NoRecord { record: String },
    #[error("the ledger has no index over record hashes")]
    NoLinks,
    #[error("no run `{run}` in this ledger")]
    NoRun { run: String },
    #[error("no entry {seq} in this ledger of {size}")]
    NoEntry { seq: u64, size: u64 },
    #[error("the ledger is empty")]
    EmptyLedger,
    #[error("{what} was altered: {detail}")]
    Altered { what: String, code: &'static str, detail: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the event logs cannot be read: {detail}")]
    Unreadable { detail: String },
    #[error("internal: {detail}")]
    Internal { detail: String },
}

fn first(problems: &[Problem]) -> String {
    problems.first().map_or_else(String::new, |p| format!("{} at `{}`: {}", p.artifact, p.at, p.detail))
}

/// Three things are called keys: a file of this workspace, what a checkpoint is verified with, and what an actor signs with.
fn no_key(name: &str) -> String {
    match name {
        _ if name.starts_with("keys/") => format!("`{name}` does not hold a key of 32 bytes in hexadecimal"),
        "--key" => "`--key` is no verifier key of the form `name+hash+base64`".to_owned(),
        _ => format!("`{name}` is no public key: 32 bytes in base64"),
    }
}

fn key_hint(name: &str) -> &'static str {
    match name {
        _ if name.starts_with("keys/") => "restore the file from where you keep a copy",
        "--key" => "pass the whole key as `enact ledger checkpoint` prints it",
        _ => "pass a key as `enact actor list --json` shows it",
    }
}

const PUBLIC_KEY_HINT: &str = "it has 44 characters, as `enact actor list --json` shows it; or name an actor with `--by`";

const NO_KEY_HINT: &str =
    "the ledger can be looked at, verified and audited here; appending needs `keys/ledger.key`, and checking what has left it `--key`";

const LOCK_HINT: &str = "put back the file that was sealed, or seal again if the sources under `protocol/` are to hold; \
    `enact verify` checks the ledger all the same";

impl EngineError {
    /// A row of the derived state that the core did not write: damage, whoever comes upon it.
    pub(crate) fn unreadable(space: &str, key: &str, detail: impl Into<String>) -> Self {
        Self::Altered { what: format!("row `{key}` of space `{space}`"), code: UNREADABLE, detail: detail.into() }
    }

    /// A file that could not be used.
    pub fn file(verb: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::File { verb, path: path.to_owned(), source }
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::NoWorkspace { .. } => "no_workspace",
            Self::WorkspaceExists { .. } => "workspace_exists",
            Self::WorkspaceIncomplete { .. } => "workspace_incomplete",
            Self::File { source, .. } => file_code(source),
            Self::FileTooLarge { .. } => "file_too_large",
            Self::Config { .. } => "config_invalid",
            Self::Origin { .. } => "origin_invalid",
            Self::Key { .. } | Self::PublicKey { .. } => "key_invalid",
            Self::NoLedgerKey { .. } => "ledger_key_missing",
            Self::Checkpoint { .. } => "checkpoint_unusable",
            Self::Bundle { code, .. } => code,
            Self::Json { .. } => "json_invalid",
            Self::PayloadShape { .. } => "payload_not_object",
            Self::PayloadValue { .. } => "payload_value",
            Self::PayloadSize { .. } => "payload_too_large",
            Self::ArtifactName { .. } => "artifact_name",
            Self::NotSealed => "not_sealed",
            Self::NoSources { .. } => "no_sources",
            Self::Protocol { problems } => problems.first().map_or("protocol_invalid", |p| p.code),
            Self::LockAltered { problem } => problem.code,
            Self::Binding(report) => report.code(),
            Self::IntentSchema { .. } => "intent_schema",
            Self::ModuleMissing { .. } => "module_missing",
            Self::ModuleDigest { .. } => "module_digest",
            Self::ModuleRefused { .. } => "module_refused",
            Self::ModuleUnfit { reasons, .. } => reasons.first().map_or("module_refused", |reason| &reason.code),
            Self::NotExamined { code, .. } => code,
            Self::ModuleUnadmitted { .. } => "module_unadmitted",
            Self::ModuleRetired { .. } => "module_retired",
            Self::ModuleName { .. } => "module_name",
            Self::NoModule { .. } => "module_unknown",
            Self::NoGrant { .. } => "grant_unknown",
            Self::GrantDiffers { .. } => "grant_differs",
            Self::ModuleWorld { .. } => "module_world",
            Self::NoIntent { .. } => "no_intent",
            Self::ModuleNotProposed { .. } => "module_not_proposed",
            Self::ModuleProposals { .. } => "module_proposals",
            Self::AdmissionDiffers { .. } => "admission_differs",
            Self::ModuleSignature { .. } => "module_signature",
            Self::ModuleArchive { .. } => "module_archive",
            Self::Vectors { .. } => "vectors_invalid",
            Self::Sandbox { .. } => "sandbox",
            Self::Inconclusive { .. } => "inconclusive",
            Self::Infrastructure { .. } => "infrastructure",
            Self::Contention { .. } => "contention",
            Self::Rejected { code, .. } | Self::Proposal { code, .. } | Self::Queue { code, .. } | Self::Decision { code, .. } => code,
            Self::NoArtifact { .. } => "no_artifact",
            Self::ActorName { .. } => "actor_name",
            Self::Founded { .. } => "ledger_founded",
            Self::NoActorKey { .. } => "no_actor_key",
            Self::NoListenerActor { .. } => "listener_actor",
            Self::NoSubject { .. } => "no_subject",
            Self::NoAccount { .. } => "no_account",
            Self::NoSnapshot { .. } => "no_snapshot",
            Self::ProjectName { .. } => "project_name",
            Self::FolderNotEmpty { .. } => "folder_not_empty",
            Self::NoView { .. } => "no_view",
            Self::ViewColumn { .. } => "view_column",
            Self::NoStory { .. } => "no_story",
            Self::Refused(refused) => &refused.code,
            Self::NoRecord { .. } => "no_record",
            Self::NoLinks => "no_links",
            Self::NoRun { .. } => "no_run",
            Self::NoMessage { .. } => "no_message",
            Self::NoSecret { .. } => "secret_unusable",
            Self::NoEntry { .. } => "no_entry",
            Self::EmptyLedger => "ledger_empty",
            Self::Altered { code, .. } => code,
            Self::Store(e) => e.code(),
            Self::Unreadable { .. } => "events_unreadable",
            Self::Internal { .. } => "internal",
        }
    }

    /// Who has to act.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Bundle { code: bundle::ALTERED | bundle::OTHER_KEY, .. } => Kind::Integrity,
            Self::Queue { code: "queue_unknown" | "queue_contract" | "queue_name", .. } => Kind::Caller,
            Self::Decision { code: "decision_unknown", .. } => Kind::Caller,
            Self::Refused(refused) => refused.kind(),
            Self::Queue { .. }
            | Self::Decision { .. }
            | Self::Inconclusive { .. }
            | Self::ModuleRefused { .. }
            | Self::ModuleUnfit { .. }
            | Self::NotExamined { .. }
            | Self::ModuleUnadmitted { .. }
            | Self::ModuleRetired { .. }
            | Self::AdmissionDiffers { .. }
            | Self::ModuleSignature { .. }
            | Self::Contention { .. }
            | Self::Founded { .. }
            | Self::Rejected { .. } => Kind::Refused,
            Self::ModuleDigest { .. } | Self::LockAltered { .. } | Self::Altered { .. } => Kind::Integrity,
            Self::Store(e) if e.is_corruption() => Kind::Integrity,
            Self::Infrastructure { .. } | Self::Sandbox { .. } | Self::Internal { .. } => Kind::Internal,
            Self::NoWorkspace { .. }
            | Self::WorkspaceExists { .. }
            | Self::WorkspaceIncomplete { .. }
            | Self::File { .. }
            | Self::FileTooLarge { .. }
            | Self::Config { .. }
            | Self::Origin { .. }
            | Self::Key { .. }
            | Self::NoLedgerKey { .. }
            | Self::Checkpoint { .. }
            | Self::Bundle { .. }
            | Self::PublicKey { .. }
            | Self::Json { .. }
            | Self::PayloadShape { .. }
            | Self::PayloadValue { .. }
            | Self::PayloadSize { .. }
            | Self::ArtifactName { .. }
            | Self::ModuleName { .. }
            | Self::NoModule { .. }
            | Self::NoGrant { .. }
            | Self::GrantDiffers { .. }
            | Self::ModuleWorld { .. }
            | Self::NoIntent { .. }
            | Self::ModuleNotProposed { .. }
            | Self::ModuleProposals { .. }
            | Self::ModuleArchive { .. }
            | Self::Vectors { .. }
            | Self::NotSealed
            | Self::NoSources { .. }
            | Self::Protocol { .. }
            | Self::Binding(_)
            | Self::IntentSchema { .. }
            | Self::ModuleMissing { .. }
            | Self::NoArtifact { .. }
            | Self::Proposal { .. }
            | Self::ActorName { .. }
            | Self::NoActorKey { .. }
            | Self::NoListenerActor { .. }
            | Self::NoSubject { .. }
            | Self::NoAccount { .. }
            | Self::NoSnapshot { .. }
            | Self::ProjectName { .. }
            | Self::FolderNotEmpty { .. }
            | Self::NoView { .. }
            | Self::ViewColumn { .. }
            | Self::NoStory { .. }
            | Self::NoRecord { .. }
            | Self::NoLinks
            | Self::NoRun { .. }
            | Self::NoMessage { .. }
            | Self::NoSecret { .. }
            | Self::NoEntry { .. }
            | Self::EmptyLedger
            | Self::Store(_)
            | Self::Unreadable { .. } => Kind::Caller,
        }
    }

    /// What to do about it, when there is something to do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NoWorkspace { .. } => "create one with `enact init`, or name one with `--workspace`".to_owned(),
            Self::WorkspaceExists { .. } => "use it with `--workspace`, or choose another folder".to_owned(),
            Self::WorkspaceIncomplete { .. } => INCOMPLETE_HINT.to_owned(),
            Self::File { path, source, .. } => return file_hint(path, source),
            Self::Config { .. } => "compare `enact.toml` with the one that `enact init` writes".to_owned(),
            Self::Origin { .. } => "use up to 128 visible ASCII characters without spaces or `+`".to_owned(),
            Self::Json { .. } | Self::PayloadShape { .. } => "pass a JSON object such as {\"key\": \"value\"}".to_owned(),
            Self::PayloadSize { .. } | Self::FileTooLarge { .. } => "pass a reference to large content instead of the content".to_owned(),
            Self::IntentSchema { .. } => "write the schema in JSON Schema 2020-12; remote references are not followed".to_owned(),
            Self::Key { name } => key_hint(name).to_owned(),
            Self::NoLedgerKey { .. } => NO_KEY_HINT.to_owned(),
            Self::Checkpoint { .. } => "keep what `enact ledger checkpoint` prints, as it is; and compare the key".to_owned(),
            Self::Bundle { code, .. } => bundle::hint(code).to_owned(),
            Self::PublicKey { .. } => PUBLIC_KEY_HINT.to_owned(),
            Self::ArtifactName { .. } => "use capitals, digits and `_`, ending in a version such as `_V0`".to_owned(),
            Self::Infrastructure { .. } => "nothing was recorded; run it again when the machine has recovered".to_owned(),
            Self::Rejected { .. } => "nothing was recorded; mend what the message names and run it again".to_owned(),
            Self::PayloadValue { .. } => "keep integers within ±(2^53−1); write larger numbers as strings".to_owned(),
            Self::LockAltered { .. } => LOCK_HINT.to_owned(),
            Self::Founded { .. } => "register more with `enact actor new NAME --as ACTOR`; `enact actor list` shows who can".to_owned(),
            Self::NotSealed => "seal it with `enact protocol seal`".to_owned(),
            Self::NoSources { .. } => "what is sealed is shown by `enact protocol show`; a bundle brings no sources".to_owned(),
            Self::Protocol { problems } => {
                let own = problems.first().map(|p| p.hint.clone()).filter(|h| !h.is_empty());
                return own.or_else(|| Some("mend the artifact; `enact protocol check` lists all problems".to_owned()));
            }
            Self::Binding(report) => report.resolution.clone(),
            Self::ModuleMissing { .. } => "restore the file under `modules/` from where you took it; its name is its digest".to_owned(),
            Self::ModuleDigest { .. } => "the file was replaced; put the sealed one back, or seal the protocol again knowingly".to_owned(),
            Self::ModuleRefused { .. } => "see all refusals with `enact module inspect FILE`".to_owned(),
            Self::ModuleUnfit { reasons, .. } => return reasons.first().and_then(|reason| reason.hint.clone()),
            Self::NotExamined { code, .. } => match code.as_str() {
                "admission_timeout" | "admission_memory" => {
                    "nothing is said about the module; make it smaller, or try a larger machine".to_owned()
                }
                _ => "nothing is said about the module; try again, and report it if it stays so".to_owned(),
            },
            Self::ModuleUnadmitted { module, .. } => {
                format!("admit it: `enact module add FILE --name {module} --as ACTOR`, then `enact module ratify {module} --as ANOTHER`")
            }
            Self::ModuleRetired { .. } => "bind another version; `enact module list` shows them".to_owned(),
            Self::ModuleName { .. } => "use lower case letters, digits and `-`, beginning with a letter, 64 at most".to_owned(),
            Self::NoGrant { .. } => "the row of the binding says what is granted: `enact module show MODULE`, or the artifact".to_owned(),
            Self::GrantDiffers { .. } => {
                "leave it out to add methods; to change it, revoke the methods of the row and grant them anew".to_owned()
            }
            Self::ModuleWorld { .. } => {
                "`CT_` is served by a transform, `CS_` by a side effect; `enact module list` shows the worlds".to_owned()
            }
            Self::NoIntent { .. } => "list them with `enact module intents`; nothing was noted of those named".to_owned(),
            Self::NoModule { .. } => "list them with `enact module list`".to_owned(),
            Self::ModuleNotProposed { .. } => "propose one with `enact module add FILE --as ACTOR`".to_owned(),
            Self::ModuleProposals { name, .. } => format!("say which with `--proposal HASH`; `enact state Module:{name}` lists them"),
            Self::AdmissionDiffers { .. } => "do not ratify it; compare with `enact module show NAME`".to_owned(),
            Self::ModuleSignature { .. } => "do not use the module; ask who gave it to you for the right file or key".to_owned(),
            Self::ModuleArchive { .. } => "make one with `enact module export NAME`".to_owned(),
            Self::Vectors { .. } => "compare the file with those that `enact module new` writes".to_owned(),
            Self::Inconclusive { .. } => "nothing was recorded; raise the limit in the binding or mend the module".to_owned(),
            Self::Contention { .. } => "nothing was recorded; run it again".to_owned(),
            Self::NoArtifact { .. } => "list them with `enact protocol show`".to_owned(),
            Self::Proposal { code: "canonical_number_range", .. } => "write amounts and other large numbers as decimal strings".to_owned(),
            Self::Proposal { code: "canonical_duplicate_key", .. } => "name each member once".to_owned(),
            Self::Proposal { code: "posting_amount", .. } => "write amounts as decimal strings of minor units, e.g. \"1250\"".to_owned(),
            Self::Proposal { .. } => "see the examples of a pack under `protocol/packs/`, and `protocol/governance.md`".to_owned(),
            Self::ActorName { .. } => {
                "use up to 64 letters, digits, `-`, `_`, `.` and `@`, with or without `Actor:` before them".to_owned()
            }
            Self::NoActorKey { .. } => "propose from the workspace where the key is, or pass a record that is signed".to_owned(),
            Self::NoListenerActor { .. } => "name an actor whose key is here with `--as`".to_owned(),
            Self::NoSubject { .. } => "subjects are named `Type:Id`; list them with `enact state --prefix TYPE:`".to_owned(),
            Self::NoAccount { .. } => "list them with `enact accounts`".to_owned(),
            Self::NoStory { .. } => "list them with `enact demo`".to_owned(),
            Self::ProjectName { .. } => {
                "use up to 64 lower case letters, digits and single dashes, beginning with a letter and not ending with a dash".to_owned()
            }
            Self::FolderNotEmpty { .. } => "name a new or empty folder; nothing was written".to_owned(),
            Self::Queue { code: "queue_unknown", .. } => "list them with `enact queue list`".to_owned(),
            Self::Queue { hint, .. } => return hint.map(str::to_owned),
            Self::NoView { .. } => "list them with `enact view`".to_owned(),
            Self::ViewColumn { .. } => "write `--where COLUMN=VALUE`, as often as needed".to_owned(),
            Self::Decision { .. } => "list proposals and where they stand with `enact decision list`".to_owned(),
            Self::NoSnapshot { .. } => "seal the protocol with `enact protocol seal`".to_owned(),
            Self::Refused(refused) => return Some(refused_hint(refused)),
            Self::NoRecord { .. } => "records have a hash, not an entry or a document; see `enact history SUBJECT`".to_owned(),
            Self::NoLinks => "open the ledger once where it can be written: that makes the index".to_owned(),
            Self::NoRun { .. } => "list them with `enact runs`".to_owned(),
            Self::NoMessage { .. } => "list them with `enact outbox list`".to_owned(),
            Self::NoSecret { .. } => "put it into `keys/secrets/NAME` of the workspace, readable by its owner only".to_owned(),
            Self::NoEntry { .. } => "list them with `enact ledger list`".to_owned(),
            Self::EmptyLedger => "run a workflow first, e.g. `enact run WF_… --payload FILE`".to_owned(),
            Self::Altered { code: STRUCTURE, .. } => STRUCTURE_HINT.to_owned(),
            Self::Altered { code: UNREADABLE, .. } => REBUILD_HINT.to_owned(),
            Self::Altered { .. } => "restore the ledger from a copy that verifies; `enact verify` lists every finding".to_owned(),
            Self::Store(e) => return Some(e.hint()),
            Self::Sandbox { .. } | Self::Unreadable { .. } | Self::Internal { .. } => return None,
        };
        Some(text)
    }

    /// Structured facts for `--json`.
    #[must_use]
    pub fn details(&self) -> Option<serde_json::Value> {
        if let Self::Binding(report) = self {
            return serde_json::to_value(report).ok();
        }
        if let Self::Refused(refused) = self {
            return serde_json::to_value(refused).ok();
        }
        if let Self::ModuleProposals { open, .. } = self {
            return serde_json::to_value(open).ok();
        }
        if let Self::Protocol { problems } = self {
            return serde_json::to_value(problems).ok();
        }
        if let Self::LockAltered { problem } = self {
            return serde_json::to_value([problem]).ok();
        }
        None
    }
}

/// The code of a file that is damaged as a database.
pub(crate) const STRUCTURE: &str = "store_structure";

const STRUCTURE_HINT: &str =
    "`enact ledger rebuild` makes indexes and what is derived anew; where that does not help, restore the ledger from a copy that verifies";

/// The code of a row of the derived state that cannot be read.
pub(crate) const UNREADABLE: &str = "state_unreadable";

const REBUILD_HINT: &str = "`enact verify --rebuild` names what differs; `enact ledger rebuild` derives the state from the entries again";

fn refused_hint(refused: &crate::govern::RefusedProposal) -> String {
    match (refused.code.as_str(), &refused.hint) {
        ("entry_too_large", _) => "propose fewer records at once, or keep the content elsewhere and record its digest".to_owned(),
        (UNREADABLE, _) => REBUILD_HINT.to_owned(),
        (_, Some(own)) => own.clone(),
        (_, None) => "`enact explain` shows every row that was looked at; nothing was appended".to_owned(),
    }
}

const INCOMPLETE_HINT: &str =
    "put `enact.toml` back, whose `origin` is the name of the ledger, or choose another folder; nothing was written";

fn file_hint(path: &Path, source: &std::io::Error) -> Option<String> {
    Some(match file_code(source) {
        "file_missing" => "check the path; `-` reads standard input".to_owned(),
        "permission_denied" => format!("make `{}` readable and its folder writable for you", path.display()),
        "read_only" => "choose a workspace on a writable file system with `--workspace`".to_owned(),
        "disk_full" => "free some space and run the command again; nothing was changed".to_owned(),
        _ => return None,
    })
}

/// The code of what went wrong with a file.
#[must_use]
pub fn file_code(source: &std::io::Error) -> &'static str {
    use std::io::ErrorKind as K;
    let known = [
        (K::NotFound, "file_missing"),
        (K::PermissionDenied, "permission_denied"),
        (K::ReadOnlyFilesystem, "read_only"),
        (K::StorageFull, "disk_full"),
        (K::QuotaExceeded, "disk_full"),
    ];
    known.iter().find(|(kind, _)| *kind == source.kind()).map_or("file", |(_, code)| code)
}
