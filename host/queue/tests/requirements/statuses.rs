//! The nine statuses and the table of events.

use super::*;
use enact_queue::status::Status::{self, *};

fn specification() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../protocol/queue.md");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn w_09_there_are_nine_statuses_and_a_tenth_is_refused() {
    let nine = ["PENDING", "READY", "EXECUTING", "EXECUTED", "SETTLING", "SETTLED", "FULFILLED", "FAILED", "VOID"];
    assert_eq!(Status::ALL.map(Status::as_str), nine);
    for word in nine {
        assert_eq!(Status::parse(word).unwrap().as_str(), word);
    }
    for tenth in ["ARCHIVED", "pending", "PENDING ", "", "CANCELLED"] {
        assert_eq!(code(Status::parse(tenth)), "queue_line", "{tenth}");
        let line = Case::new(Mode::None).last().to_line().replace("PENDING", tenth);
        assert_eq!(code(Item::from_line(&line, |_| true)), "queue_line", "{tenth}");
    }
    assert!(specification().contains(&nine.map(|word| format!("`{word}`")).join(" ")));
}

/// From which statuses an event leads where, written down a second time by hand.
fn table(event: Event, facts: Facts, required: bool) -> (&'static [Status], fn(Status) -> Status) {
    let closed = facts.settled || !required;
    match event {
        Event::Queued => (&[], |s| s),
        Event::Validated => (&[Pending, Ready], |_| Ready),
        Event::Rejected => (&[Pending, Ready, Failed], |s| if s == Failed { Failed } else { Pending }),
        Event::Leased => (&[Ready], |_| Executing),
        Event::Renewed => (&[Executing, Executed], |s| s),
        Event::LeaseLost => (&[Executing], |_| Ready),
        Event::Executed => (&[Executing], |_| Executed),
        Event::Failed => (&[Executing], |_| Failed),
        Event::FailedFinal => (if facts.failed { &[] } else { &[Failed] }, |_| Failed),
        Event::Retried => (if facts.failed { &[] } else { &[Failed] }, |_| Executing),
        Event::Voided => (&[Pending, Ready, Failed], |_| Void),
        Event::Resumed | Event::SettlementFailed => (if required { &[Executed] } else { &[] }, |s| s),
        Event::SettlementBegun => (if required { &[Executed] } else { &[] }, |_| Settling),
        Event::Settled if !required => (&[], |s| s),
        Event::Settled if facts.fulfilled => (&[Executed, Settling], |_| Fulfilled),
        Event::Settled => (&[Executed, Settling], |_| Settled),
        Event::Fulfilled if facts.fulfilled => (&[], |s| s),
        Event::Fulfilled => (&[Executed, Settling, Settled], if closed { |_| Fulfilled } else { |s| s }),
    }
}

#[test]
fn w_10_every_event_in_every_status_does_what_the_table_says_and_nothing_else() {
    let mut allowed = 0;
    for bits in 0..64_u8 {
        let bit = |at: u8| bits & (1 << at) != 0;
        let facts = Facts { executed: bit(0), settled: bit(1), fulfilled: bit(2), failed: bit(3), void: bit(4) };
        let required = bit(5);
        for event in Event::ALL {
            let (from, to) = table(event, facts, required);
            for status in Status::ALL {
                let after = status.after(event, facts, required);
                if from.contains(&status) {
                    assert_eq!(after, Ok(to(status)), "{event} in {status} with {facts:?}");
                    allowed += 1;
                } else {
                    let code = code(after);
                    let expected: &[&str] = match event {
                        Event::Queued => &["queue_exists"],
                        Event::FailedFinal | Event::Retried if status == Failed => &["queue_final"],
                        Event::Resumed | Event::SettlementFailed | Event::SettlementBegun | Event::Settled if !required => {
                            &["queue_settlement", "queue_status"]
                        }
                        _ => &["queue_status"],
                    };
                    assert!(expected.contains(&code), "{event} in {status}: {code}");
                }
            }
        }
    }
    assert!(allowed > 1_000, "{allowed}");
}

#[test]
fn w_10_the_specification_has_the_same_table() {
    let text = specification();
    for event in Event::ALL {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{event}` |"))).unwrap_or_else(|| panic!("{event} has no row"));
        let from = row.split('|').nth(2).unwrap().trim();
        let listed: Vec<Status> = from.split(", ").filter(|word| *word != "–").map(|word| Status::parse(word).unwrap()).collect();
        let (from, _) = table(event, Facts::default(), true);
        assert_eq!(listed, from, "{row}");
    }
    let rows = text.lines().filter(|line| line.starts_with("| `") && line.contains(": ")).filter(|line| line.split('|').count() == 6);
    assert_eq!(rows.filter(|row| Event::ALL.iter().any(|event| row.starts_with(&format!("| `{event}` |")))).count(), Event::ALL.len());
}

/// One item in each status.
fn in_every_status() -> Vec<(Status, Case)> {
    let settling = {
        let mut case = Case::new(Mode::External).executed();
        case.apply(&Change::BeginSettlement { holder: case.holder() }).unwrap();
        case
    };
    let settled = {
        let mut case = settling.clone();
        case.apply(&Change::Settled { holder: None, fact: case.fact() }).unwrap();
        case
    };
    let fulfilled = {
        let mut case = settled.clone();
        case.apply(&Change::Fulfilled(case.fact())).unwrap();
        case
    };
    let void = {
        let mut case = Case::new(Mode::None);
        case.apply(&Change::Void { fact: case.fact(), reason: None }).unwrap();
        case
    };
    let cases = [
        (Pending, Case::new(Mode::None)),
        (Ready, Case::new(Mode::None).validated()),
        (Executing, Case::new(Mode::None).leased("a")),
        (Executed, Case::new(Mode::None).executed()),
        (Settling, settling),
        (Settled, settled),
        (Fulfilled, fulfilled),
        (Failed, Case::new(Mode::None).failed(Class::Resolvable)),
        (Void, void),
    ];
    for (status, case) in &cases {
        assert_eq!(case.last().status, *status);
        assert_eq!(case.last().shown(&case.known()), *status);
    }
    cases.into()
}

#[test]
fn w_24_only_ready_is_taken_the_other_eight_are_refused() {
    for (status, mut case) in in_every_status() {
        let lines = case.lines.len();
        let taken = case.apply(&case.lease("b"));
        match status {
            Ready => assert_eq!(taken, Ok(())),
            Executing => assert_eq!(code(taken), "queue_locked"),
            _ => assert_eq!(code(taken), "queue_status", "{status}"),
        }
        assert_eq!(case.lines.len() > lines, status == Ready);
    }
}

#[test]
fn w_46_void_only_before_the_execution_and_never_run_afterwards() {
    for (status, mut case) in in_every_status() {
        let void = case.apply(&Change::Void { fact: case.fact(), reason: Some("withdrawn".into()) });
        match status {
            Pending | Ready | Failed => assert_eq!(void, Ok(())),
            Executing => assert_eq!(code(void), "queue_locked"),
            _ => assert_eq!(code(void), "queue_status", "{status}"),
        }
        if case.last().status == Void {
            case.now += 100 * SECOND_US;
            assert_eq!(code(case.apply(&Change::Validation(passed()))), "queue_status");
            assert_eq!(code(case.apply(&case.lease("b"))), "queue_status");
        }
    }
}

#[test]
fn w_44_nothing_is_settled_before_or_instead_of_an_execution() {
    for (status, case) in in_every_status() {
        for mode in [Mode::None, Mode::Internal, Mode::External] {
            let mut case = Case { mode, now: case.now + 100 * SECOND_US, ..case.clone() };
            let settled = case.apply(&Change::Settled { holder: None, fact: case.fact() });
            match status {
                Executed | Settling if mode.required() => assert_eq!(settled, Ok(())),
                Executed | Settling => assert_eq!(code(settled), "queue_settlement"),
                _ => assert_eq!(code(settled), "queue_status", "{status} {mode:?}"),
            }
        }
    }
    // A worker has no evidence, and where settlement is internal nothing waits for any.
    let mut external = Case::new(Mode::External).executed();
    assert_eq!(code(external.apply(&Change::Settled { holder: Some(external.holder()), fact: external.fact() })), "queue_settlement");
    let mut internal = Case::new(Mode::Internal).executed();
    assert_eq!(code(internal.apply(&Change::BeginSettlement { holder: internal.holder() })), "queue_settlement");
}

#[test]
fn w_48_fulfilled_is_a_fact_at_once_and_shown_when_settlement_is_closed() {
    for (status, mut case) in in_every_status() {
        case.now += 100 * SECOND_US;
        let fulfilled = case.apply(&Change::Fulfilled(case.fact()));
        match status {
            Executed | Settled => assert_eq!((fulfilled, case.last().status), (Ok(()), Fulfilled)),
            Settling => {
                assert_eq!((fulfilled, case.last().status), (Ok(()), Settling));
                case.apply(&Change::Settled { holder: None, fact: case.fact() }).unwrap();
                assert_eq!(case.last().status, Fulfilled);
                assert!(case.last().fulfilled_us.is_some() && case.last().settled_us.is_some());
            }
            _ => assert_eq!(code(fulfilled), "queue_status", "{status}"),
        }
    }
}

#[test]
fn w_45_a_forged_ready_is_not_taken_and_due_for_validation() {
    use enact_queue::order::{Due, due};
    let mut case = Case::new(Mode::None);
    case.apply(&Change::Validation(rejected())).unwrap();
    let mut forged = case.last().clone();
    forged.status = Ready;
    case.lines.push(forged);
    assert_eq!(case.last().shown(&case.known()), Ready);
    assert_eq!(case.apply(&case.lease("a")), Err(Refused::NotReady { reason: "missing_charter_binding".into() }));
    assert_eq!(due(case.last(), &case.known()), Due::Validate);
    // Even a forged READY that agrees with itself has another status than the next validation says.
    assert!(!case.last().says(&rejected(), &case.known()));
    case.apply(&Change::Validation(rejected())).unwrap();
    assert_eq!(case.last().status, Pending);
}
