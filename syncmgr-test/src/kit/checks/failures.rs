//! Each class of failure leads to the retry that is promised for it.

use std::fmt;
use std::time::Duration;

use syncmgr_core::error::{FailureClass, RetryAt};
use syncmgr_core::item::SyncItem;
use syncmgr_core::retry::RetryPolicy;
use tokio::time::sleep;

use super::super::Promise;
use super::super::account::{Event, Granted};
use super::super::bench::Bench;
use super::super::place::{Call, Named};
use super::super::process::{Plan, Process, Ran};
use super::super::rig::Time;
use super::super::ruling::{Breach, Played, Ruling};

/// How long the peer asks to be left alone.
const BUSY: Duration = Duration::from_secs(10 * 60);

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
const A_SECOND: Duration = Duration::from_secs(1);

const CLASSES: [FailureClass; 4] = [
    FailureClass::Transient,
    FailureClass::NotBefore(RetryAt::After(BUSY)),
    FailureClass::Permanent,
    FailureClass::Gone,
];

/// The peer fails one access to an item like this.
struct Failure {
    item: SyncItem,
    class: FailureClass,
}

pub(super) fn failures(bench: &Bench<'_>) -> Ruling {
    if bench.baseline.time == Time::Real {
        return Ruling::Skipped("the handler needs real time, in which retries take too long to wait for".into());
    }
    let items = &bench.baseline.items;
    let few = [items.first(), items.last().filter(|_| items.len() > 1)].into_iter().flatten();
    let all = CLASSES.into_iter().flat_map(|class| few.clone().map(move |item| Failure { item: item.clone(), class }));
    let scripts: Vec<_> = all.filter(|failure| bench.rig().provider().fail(&failure.item, failure.class)).collect();
    match scripts.is_empty() {
        true => Ruling::Skipped("the peer of this world cannot fail on purpose; see `Provider::fail`".into()),
        false => bench.play(scripts),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the peer fails {} once, {}", Named::from(&self.item), self.class)
    }
}

impl Promise for Failure {
    fn play(&self, bench: &Bench<'_>) -> Played {
        let mut rig = bench.rig();
        rig.provider().fail(&self.item, self.class);
        rig.account.act(self.to_string());
        let (failed, ran) = rig.program(async |process| {
            let failed = self.fails(process).await;
            let ran = match failed {
                Ok(()) => process.session(Plan::default()).await,
                Err(_) => Ran::Killed,
            };
            (failed, ran)
        });
        let item = Named::from(&self.item);
        failed.map_err(|(headline, help)| Breach::new(headline, help).with_account(&rig.account).about(&item))?;
        bench.compare(&rig, &ran, "a failure of the peer")
    }
}

/// What is wrong, and what helps.
type Wrong = (String, &'static str);

impl Failure {
    /// Runs into the failure, and watches when the item runs again by itself.
    async fn fails(&self, process: &Process) -> Result<(), Wrong> {
        self.is_told(&process.session(Plan::default()).await)?;
        let tries = self.tries(process);
        if tries > 1 {
            return Err((format!("{} was tried {tries} times in one session", self.name()), RETURN_IT));
        }
        let (earliest, latest) = self.promised(process.info().retry().unwrap_or_default());
        sleep(earliest.saturating_sub(A_SECOND)).await;
        if self.tries(process) > 1 {
            return Err((format!("{} ran again by itself, before the time that is promised", self.name()), RETURN_IT));
        }
        let Some(latest) = latest else { return Ok(()) };
        sleep(latest.saturating_sub(earliest) + 2 * A_SECOND).await;
        match self.tries(process) {
            0 | 1 if !lacks_the_user(process) => {
                Err((format!("{} did not run again by itself when it was due", self.name()), MARK))
            }
            _ => Ok(()),
        }
    }

    /// Whether the item has failed, and says the class.
    fn is_told(&self, ran: &Ran) -> Result<(), Wrong> {
        let Ran::Rested(report) = ran else { return Err(("the session does not come to an end".into(), RETURN_IT)) };
        let Some(ended) = report.items().find(|ended| ended.item.id() == self.item.id()) else { return Ok(()) };
        match ended.class {
            None => {
                let headline = format!("the peer failed {}, which ends: {}", self.name(), ended.outcome);
                Err((headline, RETURN_IT))
            }
            Some(class) if std::mem::discriminant(&class) == std::mem::discriminant(&self.class) => Ok(()),
            Some(class) => {
                Err((format!("the peer failed {}, {}, and the handler says: {class}", self.name(), self.class), MARK))
            }
        }
    }

    /// When the item runs again by itself: not before the one time, and if at all by the other.
    fn promised(&self, policy: RetryPolicy) -> (Duration, Option<Duration>) {
        match self.class {
            FailureClass::Transient => (policy.initial, Some(jittered(policy.initial, policy))),
            FailureClass::NotBefore(_) => (BUSY, Some(jittered(BUSY, policy))),
            _ => (A_DAY, None),
        }
    }

    fn tries(&self, process: &Process) -> usize {
        let is_it = |event: &Event| matches!(event, Event::Called(Call::Item(item)) if item.id == self.item.id());
        process.account.count(is_it)
    }

    fn name(&self) -> Named {
        Named::from(&self.item)
    }
}

/// Whether a run went no further because nobody may be bothered, as in every run that starts by itself.
fn lacks_the_user(process: &Process) -> bool {
    process.account.count(|event| matches!(event, Event::Attention(_, Granted::No))) > 0
}

fn jittered(wait: Duration, policy: RetryPolicy) -> Duration {
    wait + wait * policy.jitter / 100
}

const RETURN_IT: &str = "return the error and retry nothing yourself; the host keeps the time";

const MARK: &str = "mark the error with what the peer has said: `.permanent()`, `.gone()`, `.retry_after(..)`; a new error made \
                    of the old one's text has lost its mark, `.context(..)` keeps it";
