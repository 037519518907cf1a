//! The user is asked only when that may be, and for no longer than it takes.

use syncmgr_core::decision::verdict::Outcome;

use super::super::account::{Account, Event, Granted};
use super::super::bench::Bench;
use super::super::place::{Call, Named};
use super::super::process::{Plan, Ran, User};
use super::super::ruling::{Breach, Played, Ruling};
use super::super::script::Story;

/// Asking more often than this is asking again and again.
const OFTEN: usize = 100;

const PASS_ON: &str = "ask through `RunContext::interaction` and pass its refusal on with `?`; keep no permit, and no way to the \
                       user of your own";

pub(super) fn silence(bench: &Bench<'_>) -> Ruling {
    bench.play(vec![
        Story::new("nobody may be bothered", |bench| silent(bench, &[])),
        Story::new("somebody may be bothered, then nobody", |bench| silent(bench, &[User::MayBeBothered])),
    ])
}

/// After these sessions, one in which nobody may be bothered.
fn silent(bench: &Bench<'_>, before: &[User]) -> Played {
    let mut rig = bench.rig();
    let (ran, earlier) = rig.program(async |process| {
        for user in before {
            process.session(Plan { user: *user, ..Plan::default() }).await;
        }
        let earlier = process.account.events().len();
        (process.session(Plan { user: User::IsLeftAlone, ..Plan::default() }).await, earlier)
    });
    let breach = |headline: String| Err(Breach::new(headline, PASS_ON).with_account(&rig.account));
    let events = rig.account.events().split_off(earlier);
    for (_, event) in &events {
        match event {
            Event::Question(call, text) => return breach(format!("{call} asks `{text}` where nobody may be bothered")),
            Event::Attention(Call::Initialize, _) => return breach("initialize asks for the user's attention".into()),
            _ => {}
        }
    }
    let refused = events.iter().filter(|(_, event)| matches!(event, Event::Attention(_, Granted::No))).count();
    if refused > OFTEN {
        return breach(format!("the handler asks again and again, {refused} times, although it is refused"));
    }
    let Ran::Rested(report) = ran else {
        return breach("where nobody may be bothered, the session does not end".into());
    };
    let allowed = |outcome, item| outcome == Outcome::NeedsUser || outcome == bench.baseline.outcome(item);
    match report.items().find(|ended| !allowed(ended.outcome, ended.item.id())) {
        Some(ended) if refused > 0 => {
            let item = Named::from(ended.item);
            breach(format!("{item} cannot do without the user, and ends: {}; it needs the user", ended.outcome))
        }
        _ => Ok(()),
    }
}

pub(super) fn attention(bench: &Bench<'_>) -> Ruling {
    let mut rig = bench.rig();
    rig.program(async |process| drop(process.session(Plan::default()).await));
    if rig.account.count(|event| matches!(event, Event::Attention(_, Granted::Yes))) == 0 {
        return Ruling::Skipped("the handler asks for nobody's attention".into());
    }
    bench.play(vec![Story::new("run everything", |bench| {
        let mut rig = bench.rig();
        rig.program(async |process| drop(process.session(Plan::default()).await));
        given_back(&rig.account)
    })])
}

/// Whether every call gives the user's attention back before it returns.
fn given_back(account: &Account) -> Played {
    let mut holders: Vec<Call> = Vec::new();
    for (_, event) in account.events() {
        match event {
            Event::Attention(call, Granted::Yes) => holders.push(call),
            Event::GaveBack(call) => holders.retain(|holder| *holder != call),
            Event::Returned(call, _) if holders.contains(&call) => {
                let help = "drop the permit as soon as the answer is in; while you have it nobody else may ask";
                return Err(
                    Breach::new(format!("{call} returns and keeps the user's attention"), help).with_account(account)
                );
            }
            _ => {}
        }
    }
    Ok(())
}
