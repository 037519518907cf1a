//! The life of one handler run, from creation to release.

mod words;

use crate::decision::call::{Call, CallStep, Follows, Misuse};
use crate::hresult::HResult;

pub use self::words::{Action, Ask, Chosen, Event, Purpose, Reported, Stage, Step};

/// The protocol of one run: events in, the next thing to do out.
///
/// ```text
/// Created ─▶ Initialized ─▶ Listed ─▶ Ready ─▶ Preparing ─▶ Prepared ─▶ Synchronizing ─▶ Results
///    │            │                    │▲          │            │                          │▲ ▲│
///    │            │     ShowingProperties          │            │                          ││ └┴ ShowingError ─▶ Preparing
///    ▼            ▼                    ▼           ▼            ▼                          ▼      (retry)
/// Released ◀──────┴──────────────── Detaching ◀────┴────────────┴──────────────────────────┘
/// ```
///
/// Three parties feed it: the manager, the mapping that drives a handler on a foreign callback, and the mapping that
/// hosts a call/completed-style handler. It never refuses with a panic: what does not belong is a [`Misuse`].
///
/// ```
/// # use syncmgr_core::{decision::protocol::{Action, Event, Protocol, Purpose, Step}, hresult::HResult};
/// let mut run = Protocol::new(Purpose::Synchronize);
/// assert_eq!(run.on(Event::Initialized(HResult::S_OK)), Step::Do(Action::List));
/// let late = run.on(Event::SynchronizeCompleted(HResult::S_OK));
/// assert!(matches!(late, Step::Misused(_)), "nothing is being synchronized");
/// ```
#[derive(Clone, Debug)]
pub struct Protocol {
    stage: Stage,
    purpose: Purpose,
    attached: bool,
    held: bool,
    stopping: bool,
    emptied: bool,
    retry: Chosen,
    result: Option<HResult>,
}

impl Protocol {
    /// A run that has just been created. The first thing to do is [`Action::Initialize`].
    pub const fn new(purpose: Purpose) -> Self {
        Self {
            stage: Stage::Created,
            purpose,
            attached: false,
            held: false,
            stopping: false,
            emptied: false,
            retry: Chosen::None,
            result: None,
        }
    }

    /// Where the run stands.
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// The code the last attempt ended with, once it has.
    pub const fn result(&self) -> Option<HResult> {
        self.result
    }

    /// Takes an event and says what to do about it.
    pub fn on(&mut self, event: Event) -> Step {
        match event {
            Event::Initialized(code) => self.on_initialized(code),
            Event::Listed(code) => self.on_listed(code),
            Event::Attached => self.on_attached(),
            Event::PropertiesOpened => self.on_properties_opened(),
            Event::PropertiesReturned(code) => self.on_properties(|call| call.returned(code, Follows::Success)),
            Event::PropertiesCompleted(code) => self.on_properties(|call| call.completed(code)),
            Event::Chosen(chosen) => self.on_chosen(chosen),
            Event::PrepareReturned(code) => self.on_prepare(|call| call.returned(code, Follows::Ok)),
            Event::PrepareCompleted(code) => self.on_prepare(|call| call.completed(code)),
            Event::Admitted => self.on_admitted(),
            Event::SynchronizeReturned(code) => self.on_synchronize(|call| call.returned(code, Follows::Ok)),
            Event::SynchronizeCompleted(code) => self.on_synchronize(|call| call.completed(code)),
            Event::SkipWanted => self.on_wanted(),
            Event::StopWanted => self.on_stop_wanted(),
            Event::Emptied => self.on_emptied(),
            Event::ErrorOpened => self.on_error_opened(),
            Event::ErrorReturned(code) => self.on_error(|call| call.returned(code, Follows::Success)),
            Event::ErrorCompleted(code, items) => self.on_error_completed(code, items),
            Event::Retried => self.on_retried(),
            Event::Closed => self.on_closed(),
            Event::Detached => self.on_detached(),
            Event::Lost => self.on_lost(),
        }
    }

    /// What a handler is answered when it asks: `S_OK` takes the call, anything else is the answer and has no effect.
    pub fn answer(&self, ask: Ask) -> HResult {
        use Stage::{Detaching, Prepared, Preparing, Released, Results, ShowingError, Synchronizing};
        let working = matches!(self.stage, Preparing(_) | Prepared | Synchronizing(_));
        let over = matches!(self.stage, Results | ShowingError(_) | Detaching | Released);
        match ask {
            Ask::Progress if working => HResult::S_OK,
            Ask::Progress if over => HResult::S_SYNCMGR_CANCELALL,
            Ask::Log if self.attached => HResult::S_OK,
            Ask::Attention if working || matches!(self.stage, ShowingError(_)) => HResult::S_OK,
            Ask::Attention => HResult::S_FALSE,
            Ask::Connection if working => HResult::S_OK,
            Ask::Progress | Ask::Log | Ask::Connection => HResult::E_UNEXPECTED,
        }
    }

    /// T2 to T4.
    fn on_initialized(&mut self, code: HResult) -> Step {
        match (self.stage, code) {
            (Stage::Created, HResult::S_OK) => self.go(Stage::Initialized, Action::List),
            (Stage::Created, HResult::S_FALSE) => self.go(Stage::Released, Action::Release(Reported::Quietly)),
            (Stage::Created, _) => self.go(Stage::Released, Action::Release(Reported::Failed(code))),
            _ => Step::Misused(Misuse::Stale),
        }
    }

    /// T6 to T8, and T12 when the items are listed again.
    fn on_listed(&mut self, code: HResult) -> Step {
        match self.stage {
            Stage::Initialized if code.is_success() && self.attached => {
                self.stage = Stage::Ready;
                self.offer()
            }
            Stage::Initialized if code.is_success() => self.go(Stage::Listed, Action::Attach),
            Stage::Initialized if self.attached => self.give_up(code),
            Stage::Initialized => self.go(Stage::Released, Action::Release(Reported::Failed(code))),
            Stage::Ready => self.offer(),
            _ => Step::Misused(Misuse::Stale),
        }
    }

    /// T9. A second callback takes the place of the first, where nothing is under way (R76). A host may set the callback
    /// before it lists the items.
    fn on_attached(&mut self) -> Step {
        use Stage::{Initialized, Listed, Ready, Results};
        if !matches!(self.stage, Initialized | Listed | Ready | Results) {
            return Step::Misused(Misuse::Stale);
        }
        self.attached = true;
        match self.stage {
            Listed => {
                self.stage = Ready;
                self.offer()
            }
            _ => Step::Wait,
        }
    }

    fn on_properties_opened(&mut self) -> Step {
        match self.stage {
            Stage::Ready => self.go(Stage::ShowingProperties(Call::Running), Action::ShowProperties),
            _ => Step::Misused(Misuse::Stale),
        }
    }

    /// T11 to T14.
    fn on_properties(&mut self, step: impl FnOnce(Call) -> CallStep) -> Step {
        let Stage::ShowingProperties(call) = self.stage else {
            return self.no_such_call();
        };
        match step(call) {
            CallStep::Goes(call) => self.wait(Stage::ShowingProperties(call)),
            CallStep::Ended(HResult::S_SYNCMGR_ENUMITEMS) => self.go(Stage::Ready, Action::List),
            CallStep::Ended(HResult::S_SYNCMGR_ITEMDELETED) => self.go(Stage::Ready, Action::RemoveItem),
            CallStep::Ended(_) => {
                self.stage = Stage::Ready;
                self.offer()
            }
            CallStep::Misused(misuse) => Step::Misused(misuse),
        }
    }

    /// T15 to T17.
    fn on_chosen(&mut self, chosen: Chosen) -> Step {
        match (self.stage, self.purpose, chosen) {
            (Stage::Ready, Purpose::Synchronize, Chosen::Some) if !self.stopping => self.prepare(),
            (Stage::Ready, _, _) => self.go(Stage::Detaching, Action::Detach),
            _ => Step::Misused(Misuse::Stale),
        }
    }

    /// T18 to T25.
    fn on_prepare(&mut self, step: impl FnOnce(Call) -> CallStep) -> Step {
        let Stage::Preparing(call) = self.stage else {
            return self.no_such_call();
        };
        match step(call) {
            CallStep::Goes(call) => self.enter_window(Stage::Preparing(call)),
            CallStep::Ended(HResult::S_OK) => self.go(Stage::Prepared, Action::Admit),
            CallStep::Ended(code) => self.give_up(code),
            CallStep::Misused(misuse) => Step::Misused(misuse),
        }
    }

    /// T26, T27. With every item skipped there is nothing to call `synchronize` for.
    fn on_admitted(&mut self) -> Step {
        match self.stage {
            Stage::Prepared if self.stopping => self.give_up(HResult::S_OK),
            Stage::Prepared if self.emptied => self.finish(HResult::S_OK),
            Stage::Prepared => self.go(Stage::Synchronizing(Call::Running), Action::Synchronize),
            _ => Step::Misused(Misuse::Stale),
        }
    }

    /// T28 to T31, T34.
    fn on_synchronize(&mut self, step: impl FnOnce(Call) -> CallStep) -> Step {
        let Stage::Synchronizing(call) = self.stage else {
            return self.no_such_call();
        };
        match step(call) {
            CallStep::Goes(call) => self.enter_window(Stage::Synchronizing(call)),
            CallStep::Ended(code) => self.finish(code),
            CallStep::Misused(misuse) => Step::Misused(misuse),
        }
    }

    /// T23, T33: delivered in a window, held elsewhere (R121, R128).
    fn on_wanted(&mut self) -> Step {
        match self.stage {
            Stage::Preparing(Call::Window) | Stage::Synchronizing(Call::Window) => Step::Do(Action::Deliver),
            Stage::Results | Stage::ShowingError(_) | Stage::Detaching | Stage::Released => Step::Misused(Misuse::Late),
            _ => {
                self.held = true;
                Step::Do(Action::Hold)
            }
        }
    }

    /// A stop also ends what is being explained: no retry follows.
    fn on_stop_wanted(&mut self) -> Step {
        let step = match self.stage {
            Stage::ShowingError(_) => Step::Do(Action::Hold),
            _ => self.on_wanted(),
        };
        self.stopping |= matches!(step, Step::Do(_));
        step
    }

    fn on_emptied(&mut self) -> Step {
        match self.stage {
            Stage::Preparing(_) | Stage::Prepared => {
                self.emptied = true;
                Step::Wait
            }
            _ => Step::Misused(Misuse::Late),
        }
    }

    /// T35.
    fn on_error_opened(&mut self) -> Step {
        match self.stage {
            Stage::Results => {
                (self.retry, self.stopping) = (Chosen::None, false);
                self.go(Stage::ShowingError(Call::Running), Action::ShowError)
            }
            _ => Step::Misused(Misuse::Stale),
        }
    }

    /// The items of the first completion are kept until the call has ended: it may come before the return (R146).
    fn on_error_completed(&mut self, code: HResult, items: Chosen) -> Step {
        if matches!(self.stage, Stage::ShowingError(Call::Running | Call::Window)) {
            self.retry = items;
        }
        self.on_error(|call| call.completed(code))
    }

    /// T36 to T38. The items count only with `S_SYNCMGR_RETRYSYNC` (R147); without any nothing starts (R149).
    fn on_error(&mut self, step: impl FnOnce(Call) -> CallStep) -> Step {
        let Stage::ShowingError(call) = self.stage else { return self.no_such_call() };
        match (step(call), self.retry) {
            (CallStep::Goes(call), _) => self.wait(Stage::ShowingError(call)),
            (CallStep::Ended(HResult::S_SYNCMGR_RETRYSYNC), Chosen::Some) if !self.stopping => self.prepare(),
            (CallStep::Ended(_), _) => self.go(Stage::Results, Action::ShowResults),
            (CallStep::Misused(misuse), _) => Step::Misused(misuse),
        }
    }

    /// T38, where the one who asked for the retry is not the one who grants it.
    fn on_retried(&mut self) -> Step {
        match self.stage {
            Stage::Results => self.prepare(),
            _ => Step::Misused(Misuse::Stale),
        }
    }

    /// T16, T39.
    fn on_closed(&mut self) -> Step {
        match self.stage {
            Stage::Ready | Stage::Results => self.go(Stage::Detaching, Action::Detach),
            _ => Step::Misused(Misuse::Stale),
        }
    }

    /// T40.
    fn on_detached(&mut self) -> Step {
        match self.stage {
            Stage::Detaching => {
                self.attached = false;
                self.go(Stage::Released, Action::Release(Reported::Quietly))
            }
            _ => Step::Misused(Misuse::Stale),
        }
    }

    /// T41. Whoever has set a callback takes it away (R77).
    fn on_lost(&mut self) -> Step {
        match self.stage {
            Stage::Detaching | Stage::Released => Step::Misused(Misuse::Late),
            _ if self.attached => self.give_up(HResult::E_UNEXPECTED),
            _ => self.go(Stage::Released, Action::Release(Reported::Failed(HResult::E_UNEXPECTED))),
        }
    }

    /// Ready: items are chosen, unless the run is only for settings.
    fn offer(&mut self) -> Step {
        match self.purpose {
            Purpose::Synchronize => Step::Do(Action::Choose),
            Purpose::Settings => Step::Wait,
            Purpose::Explain => self.wait(Stage::Results),
        }
    }

    /// An attempt begins, with nothing cancelled (R113).
    fn prepare(&mut self) -> Step {
        (self.held, self.stopping, self.emptied, self.result) = (false, false, false, None);
        self.go(Stage::Preparing(Call::Running), Action::Prepare)
    }

    /// The attempt is over and can be looked at.
    fn finish(&mut self, code: HResult) -> Step {
        self.result = Some(code);
        self.go(Stage::Results, Action::ShowResults)
    }

    /// The attempt is over and the run with it.
    fn give_up(&mut self, code: HResult) -> Step {
        self.result = Some(code);
        self.go(Stage::Detaching, Action::Detach)
    }

    /// Where a window opens, what was held is delivered.
    fn enter_window(&mut self, stage: Stage) -> Step {
        self.stage = stage;
        let open = matches!(stage, Stage::Preparing(Call::Window) | Stage::Synchronizing(Call::Window));
        if open && std::mem::take(&mut self.held) { Step::Do(Action::Deliver) } else { Step::Wait }
    }

    /// A return or completion of a call that is not under way.
    fn no_such_call(&self) -> Step {
        use Stage::{Created, Initialized, Listed, Ready};
        let nothing_called = matches!(self.stage, Created | Initialized | Listed | Ready);
        Step::Misused(if nothing_called { Misuse::Stale } else { Misuse::Late })
    }

    fn go(&mut self, stage: Stage, action: Action) -> Step {
        self.stage = stage;
        Step::Do(action)
    }

    fn wait(&mut self, stage: Stage) -> Step {
        self.stage = stage;
        Step::Wait
    }
}

#[cfg(test)]
mod tests;
