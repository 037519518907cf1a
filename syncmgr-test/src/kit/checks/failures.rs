//! Each class of failure leads to the retry that is promised for it.

use std::fmt;
use std::mem::discriminant;
use std::time::Duration;

use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::error::{FailureClass, RetryAt};
use syncmgr_core::item::SyncItem;
use syncmgr_core::retry::RetryPolicy;
use tokio::time::sleep;

use super::super::account::{Account, Event};
use super::super::bench::{Bench, Promise};
use super::super::breach::{Breach, Played};
use super::super::place::{Call, Named};
use super::super::process::{Process, Ran, SessionPlan};
use super::super::rig::Time;
use super::super::ruling::Ruling;
use super::cut::untouched;

/// How long the peer asks to be left alone.
const BUSY: Duration = Duration::from_secs(10 * 60);

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
const A_SECOND: Duration = Duration::from_secs(1);

/// How much longer than undisturbed an item may take that fails: whoever waits longer waits by itself.
const LONGER: Duration = Duration::from_secs(5);

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
    let succeeds = |item: &&SyncItem| bench.baseline.outcome(item.id()) == Outcome::Succeeded;
    let items: Vec<_> = bench.baseline.items.iter().filter(succeeds).collect();
    let few = [items.first(), items.last().filter(|_| items.len() > 1)].into_iter().flatten().copied();
    let all = CLASSES.into_iter().flat_map(|class| few.clone().map(move |item| Failure { item: item.clone(), class }));
    let scripts: Vec<_> = all.filter(|failure| bench.rig().provider().fail(&failure.item, failure.class)).collect();
    match scripts.is_empty() {
        true => Ruling::Skipped("the peer of this world cannot fail on purpose; see `Provider::fail`".into()),
        false => bench.play(scripts),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the peer fails {} once, {}", self.name(), self.class)
    }
}

/// What is wrong, and what helps.
type Wrong = (String, &'static str);

const RETURN_IT: &str = "return the error at once and retry nothing yourself; the host keeps the time";

const MARK: &str = "mark the error with what the peer has said: `.permanent()`, `.gone()`, `.retry_after(..)`; a new error made \
                    of the old one's text has lost its mark, `.context(..)` keeps it";

impl Promise for Failure {
    fn play(&self, bench: &Bench<'_>) -> Played {
        let mut rig = bench.rig();
        rig.provider().fail(&self.item, self.class);
        rig.account.act(self.to_string());
        let ran = rig.program(async |process| process.session(SessionPlan::default()).await);
        let told = self.is_told(bench, &rig.account, &ran);
        let told = told.map_err(|(headline, help)| {
            Breach::new(headline, help).with_account(&rig.account).with_item(&self.name())
        })?;
        if told.is_some() {
            untouched(bench, &rig, &ran, &self.name(), "failed")?;
        }
        self.is_retried(bench, told)
    }
}

impl Failure {
    fn name(&self) -> Named {
        Named::from(&self.item)
    }

    /// The class the item has failed with; `None` where the handler as a whole has failed.
    fn is_told(&self, bench: &Bench<'_>, account: &Account, ran: &Ran) -> Result<Option<FailureClass>, Wrong> {
        let Ran::Rested(report, _) = ran else { return Err(("the session does not come to an end".into(), RETURN_IT)) };
        let Some(ended) = report.items().find(|ended| ended.item.id() == self.item.id()) else { return Ok(None) };
        let Some(class) = ended.class else {
            return Err((format!("the peer failed {}, which ends: {}", self.name(), ended.outcome), RETURN_IT));
        };
        let took = self.took(account).saturating_sub(bench.baseline.took(self.item.id()));
        if took > LONGER {
            let seconds = took.as_secs();
            return Err((
                format!("the peer failed {}, which waits {seconds} s before it says so", self.name()),
                RETURN_IT,
            ));
        }
        // What is reported by hand, or failed in `prepare`, has no class of its own.
        let by_hand = account.count(|event| self.is_call(event)) == 0;
        match discriminant(&class) == discriminant(&self.class) || by_hand {
            true => Ok(Some(class).filter(|_| !by_hand)),
            false => {
                Err((format!("the peer failed {}, {}, and the handler says: {class}", self.name(), self.class), MARK))
            }
        }
    }

    fn is_call(&self, event: &Event) -> bool {
        matches!(event, Event::Called(Call::Item(item)) if item.id == self.item.id())
    }

    /// How long the call of the item took.
    fn took(&self, account: &Account) -> Duration {
        let returned =
            |event: &Event| matches!(event, Event::Returned(Call::Item(item), _) if item.id == self.item.id());
        let (began, ended) = (account.when(|event| self.is_call(event)), account.when(returned));
        ended.zip(began).map_or(Duration::ZERO, |(ended, began)| ended.saturating_sub(began))
    }

    /// Plays it once more, and waits for what is promised of this class.
    fn is_retried(&self, bench: &Bench<'_>, told: Option<FailureClass>) -> Played {
        let mut rig = bench.rig();
        rig.provider().fail(&self.item, self.class);
        rig.account.act(self.to_string());
        let (waited, ran) = rig.program(async |process| {
            process.session(SessionPlan::default()).await;
            let waited = self.wait(process, told).await;
            (waited, process.session(SessionPlan::default()).await)
        });
        let breach =
            |(headline, help): Wrong| Breach::new(headline, help).with_account(&rig.account).with_item(&self.name());
        waited.map_err(breach)?;
        bench.compare(&rig, &ran, "a failure of the peer")
    }

    /// Watches when the handler runs again by itself.
    async fn wait(&self, process: &Process, told: Option<FailureClass>) -> Result<(), Wrong> {
        if told.is_none() {
            // Of the handler as a whole nothing more is known than that the peer may be asked again then.
            sleep(2 * BUSY).await;
        }
        let Some((earliest, latest)) = told.and_then(|told| promised(told, process.info().retry().unwrap_or_default()))
        else {
            return Ok(());
        };
        let failed =
            |event: &Event| matches!(event, Event::Returned(Call::Item(item), Err(_)) if item.id == self.item.id());
        let since = process.account.when(failed).unwrap_or_default();
        let until = |wait: Duration| (since + wait).saturating_sub(process.account.now());
        let early = until(earliest.saturating_sub(A_SECOND));
        sleep(early).await;
        if !early.is_zero() && runs(process) > 1 {
            let help = if matches!(self.class, FailureClass::Transient) { RETURN_IT } else { MARK };
            return Err((format!("{} ran again by itself, before the time that is promised", self.name()), help));
        }
        let Some(latest) = latest else { return Ok(()) };
        sleep(until(latest) + 2 * A_SECOND).await;
        match runs(process) {
            0 | 1 => Err((format!("{} did not run again by itself when it was due", self.name()), MARK)),
            _ => Ok(()),
        }
    }
}

/// How often the handler was run: by the script once, and by the manager when it is due.
fn runs(process: &Process) -> usize {
    process.account.count(|event| matches!(event, Event::Called(Call::Initialize)))
}

/// How long after its failure an item runs again by itself: not before the one time, and if at all by the other.
fn promised(class: FailureClass, policy: RetryPolicy) -> Option<(Duration, Option<Duration>)> {
    let jittered = |wait: Duration| wait + wait * policy.jitter / 100;
    match class {
        FailureClass::Transient if policy.budget <= 1 => Some((A_DAY, None)),
        FailureClass::Transient => Some((policy.initial, Some(jittered(policy.initial)))),
        FailureClass::NotBefore(RetryAt::After(wait)) => Some((wait, Some(jittered(wait)))),
        FailureClass::NotBefore(_) => None,
        _ => Some((A_DAY, None)),
    }
}
