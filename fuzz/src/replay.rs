//! The memory of accepted tokens: two bytes for its size and what it does when it is full, then steps. A step is a token that
//! is admitted, alone or while another worker admits one, time that passes, a host that fails, or another configuration.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use wristband::denial::Cause;
use wristband::time::Timestamp;
use wristband::trust::replay::{OnFull, Replay};

use super::fixture::NOW;
use super::host::Stage;
use super::input::Input;

const ISSUERS: [&str; 3] = ["a", "b", "c"];

/// What was accepted, and until when it can be used.
#[derive(Default)]
struct Accepted(RefCell<HashMap<(&'static str, u8), Timestamp>>);

#[derive(Clone, Copy)]
struct Token {
    issuer: &'static str,
    id: u8,
    until: Timestamp,
}

pub(super) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let tokens = u32::from(input.byte()).max(1);
    let on_full = if input.byte() % 4 == 3 { OnFull::Forget } else { OnFull::Deny };
    let host = Stage::default();
    let reserve =
        |issuers: usize| Rc::new(Replay::reserve(tokens, on_full, ISSUERS.into_iter().take(issuers), &host).unwrap());
    let (mut issuers, mut now) = (2, NOW);
    let (mut replay, accepted) = (reserve(issuers), Rc::new(Accepted::default()));
    let token = |input: &mut Input<'_>, now: Timestamp| {
        let (issuer, id, life) = (input.byte(), input.byte(), input.byte());
        Token { issuer: ISSUERS[usize::from(issuer) % ISSUERS.len()], id, until: now.after(life.into()) }
    };
    while !input.is_empty() {
        match input.byte() % 6 {
            0 => now = now.after(input.byte().into()),
            1 => {
                issuers = 1 + usize::from(input.byte()) % ISSUERS.len();
                replay = reserve(issuers);
            }
            // It refuses to write, or says that another worker was faster although none was.
            step @ (2 | 3) => {
                host.lie(Input::new(if step == 2 { &[255, 253] } else { &[255, 0, 255, 255] }));
                let token = token(&mut input, now);
                let verdict = accepted.admit(&replay, token, now, &host);
                host.be_honest();
                assert!(step == 3 || verdict.is_err(), "it is accepted and not remembered");
            }
            step => {
                let mine = token(&mut input, now);
                if step == 4 {
                    let (accepted, replay, theirs) = (Rc::clone(&accepted), Rc::clone(&replay), token(&mut input, now));
                    host.meanwhile(move |host| {
                        let _ = accepted.admit(&replay, theirs, now, host);
                    });
                }
                let knew = accepted.has(mine, now);
                let verdict = accepted.admit(&replay, mine, now, &host);
                host.nothing_meanwhile();
                let is_known = ISSUERS.iter().position(|issuer| *issuer == mine.issuer) < Some(issuers);
                match verdict {
                    Err(Cause::Again | Cause::NoMemory) => {
                        assert!(on_full == OnFull::Forget || !is_known || accepted.has(mine, now))
                    }
                    Err(denial) => assert_eq!((denial, knew), (Cause::MemoryFull, false)),
                    Ok(_) => assert_eq!(replay.admit(mine.issuer, &name(mine), mine.until, now, &host), REPLAYED),
                }
            }
        }
    }
}

const REPLAYED: Result<bool, Cause> = Err(Cause::Again);

fn name(token: Token) -> String {
    token.id.to_string()
}

impl Accepted {
    fn has(&self, token: Token, now: Timestamp) -> bool {
        self.0.borrow().get(&(token.issuer, token.id)).is_some_and(|until| *until >= now)
    }

    /// Where none is forgotten, none that lives is accepted again.
    fn admit(&self, replay: &Replay, token: Token, now: Timestamp, host: &Stage<'_>) -> Result<bool, Cause> {
        let verdict = replay.admit(token.issuer, &name(token), token.until, now, host);
        if let Ok(has_forgotten) = verdict {
            let forgets = format!("{replay:?}").contains("Forget");
            assert!(forgets || !has_forgotten && !self.has(token, now), "it is accepted twice");
            self.0.borrow_mut().insert((token.issuer, token.id), token.until);
        }
        verdict
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let admit = |issuer: u8, id: u8, life: u8| vec![5, issuer, id, life];
    let many = |size: u8, on_full: u8, count: u8, life: u8| {
        let admitted = (0..count).flat_map(|id| admit(id % 2, id, life.saturating_add(id % 3)));
        [size, on_full].into_iter().chain(admitted).collect::<Vec<_>>()
    };
    let and = |mut start: Vec<u8>, more: &[u8]| {
        start.extend_from_slice(more);
        start
    };
    vec![
        and(many(4, 0, 8, 10), &[0, 11, 5, 0, 0, 10]),
        and(many(4, 3, 8, 10), &[5, 0, 0, 10]),
        and(many(8, 0, 4, 10), &[1, 2, 5, 2, 9, 9, 1, 0, 5, 0, 0, 9]),
        and(many(8, 0, 2, 10), &[4, 0, 7, 9, 0, 7, 9, 4, 0, 8, 9, 0, 9, 9, 5, 0, 9, 9]),
        and(many(8, 0, 2, 10), &[2, 0, 7, 9, 3, 0, 7, 9, 5, 0, 7, 9]),
        many(200, 0, 200, 200),
        many(129, 0, 250, 200),
    ]
}
