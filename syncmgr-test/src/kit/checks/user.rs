//! The user is asked only when that may be, and for no longer than it takes.

use std::time::Duration;

use syncmgr_core::decision::verdict::Outcome;
use syncmgr_runtime::report::ItemReport;

use super::super::account::{Event, Granted};
use super::super::bench::Bench;
use super::super::breach::{Breach, Played};
use super::super::place::{Call, How, Named};
use super::super::process::{Ran, SessionPlan, User};
use super::super::ruling::Ruling;
use super::super::script::{CutScript, Story};

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
            process.session(SessionPlan { user: *user, ..SessionPlan::default() }).await;
        }
        let earlier = process.account.events().len();
        (process.session(SessionPlan { user: User::IsLeftAlone, ..SessionPlan::default() }).await, earlier)
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
    let Ran::Rested(report, _) = ran else {
        return breach("where nobody may be bothered, the session does not end".into());
    };
    let allows = |item, outcome| outcome == Outcome::NeedsUser || bench.baseline.allows(item, Some(outcome));
    if let Some(ended) = report.items().find(|ended| refused > 0 && !allows(ended.item.id(), ended.outcome)) {
        let item = Named::from(ended.item);
        return breach(format!("{item} cannot do without the user, and ends: {}; it needs the user", ended.outcome));
    }
    let as_ever = |ended: ItemReport<'_>| ended.outcome == bench.baseline.outcome(ended.item.id());
    match refused > 0 && before.is_empty() && report.items().count() > 0 && report.items().all(as_ever) {
        true => bench.compare_data(&rig, "nobody could be asked").map_err(|found| found.with_help(PASS_ON)),
        false => Ok(()),
    }
}

pub(super) fn attention(bench: &Bench<'_>) -> Ruling {
    let mut rig = bench.rig();
    rig.program(async |process| drop(process.session(SessionPlan::default()).await));
    if rig.account.count(|event| matches!(event, Event::Attention(_, Granted::Yes))) == 0 {
        return Ruling::Skipped("the handler asks for nobody's attention".into());
    }
    let whole = Story::new("run everything", |bench| given_back(bench, SessionPlan::default()));
    let cuts = CutScript::all(bench.waits(|_| true), How::Drop, |script, bench| given_back(bench, script.plan()));
    bench.play_both(vec![whole], cuts)
}

/// Longer than this nobody keeps the user waiting who has their answer.
const A_WHILE: Duration = Duration::from_secs(30);

/// Whether every call gives the user's attention back, soon, and before it returns or the session ends.
fn given_back(bench: &Bench<'_>, plan: SessionPlan) -> Played {
    let mut rig = bench.rig();
    rig.program(async |process| drop(process.session(plan).await));
    let breach = |headline: String| {
        let help = "drop the permit as soon as the answer is in; while you have it nobody else may ask";
        Err(Breach::new(headline, help).with_account(&rig.account))
    };
    let (mut holders, mut answered): (Vec<Call>, Duration) = (Vec::new(), Duration::ZERO);
    for (time, event) in rig.account.events() {
        match event {
            Event::Attention(call, Granted::Yes) => {
                holders.push(call);
                answered = time;
            }
            Event::Question(..) => answered = time,
            Event::GaveBack(call) if time.saturating_sub(answered) > A_WHILE => {
                let seconds = time.saturating_sub(answered).as_secs();
                return breach(format!("{call} keeps the user's attention for {seconds} s after its last question"));
            }
            Event::GaveBack(call) => holders.retain(|holder| *holder != call),
            Event::Returned(call, _) if holders.contains(&call) => {
                return breach(format!("{call} returns and keeps the user's attention"));
            }
            Event::Closed => {
                if let Some(call) = holders.first() {
                    return breach(format!("{call} keeps the user's attention when the session is over"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}
