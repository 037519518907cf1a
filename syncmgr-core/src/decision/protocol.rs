//! The lifecycle of one handler run, from creation to release.

mod types;

use crate::decision::call::{Call, CallStep, CompletionAfter, Misuse};
use crate::hresult::HResult;

pub use self::types::{Action, Event, HostRequest, ItemSet, Purpose, Reported, Stage, Step};

/// The protocol of one run: a state machine that maps each event to the next action.
///
/// ```text
/// Created ─▶ Initialized ─▶ Listed ─▶ Ready ─▶ Preparing ─▶ Prepared ─▶ Synchronizing ─▶ Results
///    │            │                    │▲          │            │                          │▲ ▲│
///    │            │     ShowingProperties          │            │                          ││ └┴ ShowingError ─▶ Preparing
///    ▼            ▼                    ▼           ▼            ▼                          ▼      (retry)
/// Released ◀──────┴──────────────── Detaching ◀────┴────────────┴──────────────────────────┘
/// ```
///
/// The events come from the manager, from the callback adapter and from the classic adapter. The protocol never panics: an
/// unexpected event is a [`Misuse`] and has no effect.
///
/// ```
/// # use syncmgr_core::{decision::protocol::{Action, Event, Protocol, Purpose, Step}, hresult::HResult};
/// let mut run = Protocol::new(Purpose::Synchronize);
/// assert_eq!(run.on(Event::Initialized(HResult::S_OK)), Step::Do(Action::List));
/// let late = run.on(Event::SynchronizeCompleted(HResult::S_OK));
/// assert!(matches!(late, Step::Misused(_)), "no synchronize call is active");
/// ```
#[derive(Clone, Debug)]
pub struct Protocol {
    stage: Stage,
    purpose: Purpose,
    attached: bool,
    undelivered: bool,
    stopping: bool,
    no_items_left: bool,
    retry: ItemSet,
    result: Option<HResult>,
}

impl Protocol {
    /// Creates the protocol of a new run. The caller starts with [`Action::Initialize`].
    pub const fn new(purpose: Purpose) -> Self {
        Self {
            stage: Stage::Created,
            purpose,
            attached: false,
            undelivered: false,
            stopping: false,
            no_items_left: false,
            retry: ItemSet::Empty,
            result: None,
        }
    }

    /// Returns the current stage.
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// Returns the code of the last attempt, or `None` if it has not ended.
    pub const fn result(&self) -> Option<HResult> {
        self.result
    }

    /// Handles an event and returns the next step.
    pub fn on(&mut self, event: Event) -> Step {
        match event {
            Event::Initialized(code) => self.on_initialized(code),
            Event::Listed(code) => self.on_listed(code),
            Event::Attached => self.on_attached(),
            Event::PropertiesOpened => self.on_properties_opened(),
            Event::PropertiesReturned(code) => self.on_properties(|call| call.returned(code, CompletionAfter::Success)),
            Event::PropertiesCompleted(code) => self.on_properties(|call| call.completed(code)),
            Event::Chosen(chosen) => self.on_chosen(chosen),
            Event::PrepareReturned(code) => self.on_prepare(|call| call.returned(code, CompletionAfter::Ok)),
            Event::PrepareCompleted(code) => self.on_prepare(|call| call.completed(code)),
            Event::Admitted => self.on_admitted(),
            Event::SynchronizeReturned(code) => self.on_synchronize(|call| call.returned(code, CompletionAfter::Ok)),
            Event::SynchronizeCompleted(code) => self.on_synchronize(|call| call.completed(code)),
            Event::SkipRequested => self.deliver_or_store(),
            Event::StopRequested => self.on_stop_requested(),
            Event::NoItemsLeft => self.on_no_items_left(),
            Event::ErrorOpened => self.on_error_opened(),
            Event::ErrorReturned(code) => self.on_error(|call| call.returned(code, CompletionAfter::Success)),
            Event::ErrorCompleted(code, items) => self.on_error_completed(code, items),
            Event::Retried => self.on_retried(),
            Event::Closed => self.on_closed(),
            Event::Detached => self.on_detached(),
            Event::HandlerLost => self.on_handler_lost(),
        }
    }

    /// Returns the answer to a call through the callback: `S_OK` if the call takes effect. Otherwise the call returns this code.
    pub fn answer(&self, request: HostRequest) -> HResult {
        use Stage::{Detaching, Prepared, Preparing, Released, Results, ShowingError, Synchronizing};
        let working = matches!(self.stage, Preparing(_) | Prepared | Synchronizing(_));
        let ended = matches!(self.stage, Results | ShowingError(_) | Detaching | Released);
        match request {
            HostRequest::Progress if working => HResult::S_OK,
            HostRequest::Progress if ended => HResult::S_SYNCMGR_CANCELALL,
            HostRequest::Log if self.attached => HResult::S_OK,
            HostRequest::Attention if working || matches!(self.stage, ShowingError(_)) => HResult::S_OK,
            HostRequest::Attention => HResult::S_FALSE,
            HostRequest::Connection if working => HResult::S_OK,
            HostRequest::Progress | HostRequest::Log | HostRequest::Connection => HResult::E_UNEXPECTED,
        }
    }

    /// Handles the return of `initialize`: the run continues with the listing, or is released.
    fn on_initialized(&mut self, code: HResult) -> Step {
        match (self.stage, code) {
            (Stage::Created, HResult::S_OK) => self.transition(Stage::Initialized, Action::List),
            (Stage::Created, HResult::S_FALSE) => self.transition(Stage::Released, Action::Release(Reported::Quietly)),
            (Stage::Created, _) => self.transition(Stage::Released, Action::Release(Reported::Failed(code))),
            _ => Step::Misused(Misuse::Stale),
        }
    }

    /// Handles the listing. A listing in stage `Ready` repeats the choice, because `ShowProperties` asked for a new listing.
    fn on_listed(&mut self, code: HResult) -> Step {
        match self.stage {
            Stage::Initialized if code.is_success() && self.attached => {
                self.stage = Stage::Ready;
                self.offer()
            }
            Stage::Initialized if code.is_success() => self.transition(Stage::Listed, Action::Attach),
            Stage::Initialized if self.attached => self.abort(code),
            Stage::Initialized => self.transition(Stage::Released, Action::Release(Reported::Failed(code))),
            Stage::Ready => self.offer(),
            _ => Step::Misused(Misuse::Stale),
        }
    }

    /// Handles setting the callback. A second callback replaces the first if no call is active. A host may also set the
    /// callback before it lists the items.
    fn on_attached(&mut self) -> Step {
        use Stage::{Initialized, Listed, Ready, Results};
        // R76.
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
            Stage::Ready => self.transition(Stage::ShowingProperties(Call::Running), Action::ShowProperties),
            _ => Step::Misused(Misuse::Stale),
        }
    }

    /// Handles a return or completion of `ShowProperties`, after which the run offers the choice again.
    fn on_properties(&mut self, step: impl FnOnce(Call) -> CallStep) -> Step {
        let Stage::ShowingProperties(call) = self.stage else {
            return self.no_such_call();
        };
        match step(call) {
            CallStep::Continues(call) => self.wait(Stage::ShowingProperties(call)),
            CallStep::Ended(HResult::S_SYNCMGR_ENUMITEMS) => self.transition(Stage::Ready, Action::List),
            CallStep::Ended(HResult::S_SYNCMGR_ITEMDELETED) => self.transition(Stage::Ready, Action::RemoveItem),
            CallStep::Ended(_) => {
                self.stage = Stage::Ready;
                self.offer()
            }
            CallStep::Misused(misuse) => Step::Misused(misuse),
        }
    }

    /// Handles the choice: the run prepares the chosen items, or detaches if there are none.
    fn on_chosen(&mut self, chosen: ItemSet) -> Step {
        match (self.stage, self.purpose, chosen) {
            (Stage::Ready, Purpose::Synchronize, ItemSet::NonEmpty) if !self.stopping => self.prepare(),
            // R36.
            (Stage::Ready, _, _) => self.transition(Stage::Detaching, Action::Detach),
            _ => Step::Misused(Misuse::Stale),
        }
    }

    /// Handles a return or completion of `PrepareForSync`. `synchronize` follows only after `S_OK`.
    fn on_prepare(&mut self, step: impl FnOnce(Call) -> CallStep) -> Step {
        let Stage::Preparing(call) = self.stage else {
            return self.no_such_call();
        };
        match step(call) {
            CallStep::Continues(call) => self.enter_window(Stage::Preparing(call)),
            // R89 to R92.
            CallStep::Ended(HResult::S_OK) => self.transition(Stage::Prepared, Action::Admit),
            CallStep::Ended(code) => self.abort(code),
            CallStep::Misused(misuse) => Step::Misused(misuse),
        }
    }

    /// Handles the admission. `Synchronize` is not called if the run was stopped or all items were skipped.
    fn on_admitted(&mut self) -> Step {
        match self.stage {
            Stage::Prepared if self.stopping => self.abort(HResult::S_OK),
            Stage::Prepared if self.no_items_left => self.finish(HResult::S_OK),
            Stage::Prepared => self.transition(Stage::Synchronizing(Call::Running), Action::Synchronize),
            _ => Step::Misused(Misuse::Stale),
        }
    }

    /// Handles a return or completion of `Synchronize`; its code is the result of the run.
    fn on_synchronize(&mut self, step: impl FnOnce(Call) -> CallStep) -> Step {
        let Stage::Synchronizing(call) = self.stage else {
            return self.no_such_call();
        };
        match step(call) {
            CallStep::Continues(call) => self.enter_window(Stage::Synchronizing(call)),
            // R102.
            CallStep::Ended(code) => self.finish(code),
            CallStep::Misused(misuse) => Step::Misused(misuse),
        }
    }

    /// Handles a skip or stop: delivers it if a window (see [`Call`]) is open, otherwise stores it for the next window.
    fn deliver_or_store(&mut self) -> Step {
        match self.stage {
            // R121.
            Stage::Preparing(Call::Window) | Stage::Synchronizing(Call::Window) => Step::Do(Action::Deliver),
            Stage::Results | Stage::ShowingError(_) | Stage::Detaching | Stage::Released => Step::Misused(Misuse::Late),
            _ => {
                // R128.
                self.undelivered = true;
                Step::Do(Action::Store)
            }
        }
    }

    /// Handles a stop. While an error is shown, a stop prevents the retry.
    fn on_stop_requested(&mut self) -> Step {
        let step = match self.stage {
            Stage::ShowingError(_) => Step::Do(Action::Store),
            _ => self.deliver_or_store(),
        };
        self.stopping |= matches!(step, Step::Do(_));
        step
    }

    fn on_no_items_left(&mut self) -> Step {
        match self.stage {
            Stage::Preparing(_) | Stage::Prepared => {
                self.no_items_left = true;
                Step::Wait
            }
            _ => Step::Misused(Misuse::Late),
        }
    }

    /// Handles opening a log entry.
    fn on_error_opened(&mut self) -> Step {
        match self.stage {
            Stage::Results => {
                (self.retry, self.stopping) = (ItemSet::Empty, false);
                self.transition(Stage::ShowingError(Call::Running), Action::ShowError)
            }
            _ => Step::Misused(Misuse::Stale),
        }
    }

    /// Handles the completion of `ShowError`. The items are stored, because the completion may come before the return.
    fn on_error_completed(&mut self, code: HResult, items: ItemSet) -> Step {
        // R146.
        if matches!(self.stage, Stage::ShowingError(Call::Running | Call::Window)) {
            self.retry = items;
        }
        self.on_error(|call| call.completed(code))
    }

    /// Handles a return or completion of `ShowError`. A retry needs `S_SYNCMGR_RETRYSYNC` and items.
    fn on_error(&mut self, step: impl FnOnce(Call) -> CallStep) -> Step {
        let Stage::ShowingError(call) = self.stage else { return self.no_such_call() };
        match (step(call), self.retry) {
            (CallStep::Continues(call), _) => self.wait(Stage::ShowingError(call)),
            // R147, R149.
            (CallStep::Ended(HResult::S_SYNCMGR_RETRYSYNC), ItemSet::NonEmpty) if !self.stopping => self.prepare(),
            (CallStep::Ended(_), _) => self.transition(Stage::Results, Action::ShowResults),
            (CallStep::Misused(misuse), _) => Step::Misused(misuse),
        }
    }

    /// Handles a retry that was granted after `ShowError` had completed.
    fn on_retried(&mut self) -> Step {
        match self.stage {
            Stage::Results => self.prepare(),
            _ => Step::Misused(Misuse::Stale),
        }
    }

    /// Handles closing the choice or the results.
    fn on_closed(&mut self) -> Step {
        match self.stage {
            Stage::Ready | Stage::Results => self.transition(Stage::Detaching, Action::Detach),
            _ => Step::Misused(Misuse::Stale),
        }
    }

    /// Handles the removal of the callback: the run is released.
    fn on_detached(&mut self) -> Step {
        match self.stage {
            Stage::Detaching => {
                self.attached = false;
                self.transition(Stage::Released, Action::Release(Reported::Quietly))
            }
            _ => Step::Misused(Misuse::Stale),
        }
    }

    /// Handles the loss of the handler. A callback that was set is removed before the release.
    fn on_handler_lost(&mut self) -> Step {
        match self.stage {
            Stage::Detaching | Stage::Released => Step::Misused(Misuse::Late),
            // R77.
            _ if self.attached => self.abort(HResult::E_UNEXPECTED),
            _ => self.transition(Stage::Released, Action::Release(Reported::Failed(HResult::E_UNEXPECTED))),
        }
    }

    /// Continues after the listing, depending on the purpose of the run.
    fn offer(&mut self) -> Step {
        match self.purpose {
            Purpose::Synchronize => Step::Do(Action::Choose),
            Purpose::Settings => Step::Wait,
            Purpose::Explain => self.wait(Stage::Results),
        }
    }

    /// Starts an attempt, without the skips and stops of the attempt before.
    fn prepare(&mut self) -> Step {
        // R113.
        (self.undelivered, self.stopping, self.no_items_left, self.result) = (false, false, false, None);
        self.transition(Stage::Preparing(Call::Running), Action::Prepare)
    }

    /// Ends the attempt and shows its results.
    fn finish(&mut self, code: HResult) -> Step {
        self.result = Some(code);
        self.transition(Stage::Results, Action::ShowResults)
    }

    /// Ends the attempt and detaches the run.
    fn abort(&mut self, code: HResult) -> Step {
        self.result = Some(code);
        self.transition(Stage::Detaching, Action::Detach)
    }

    /// Enters a stage. If its window opens, a stored skip or stop is delivered.
    fn enter_window(&mut self, stage: Stage) -> Step {
        self.stage = stage;
        let open = matches!(stage, Stage::Preparing(Call::Window) | Stage::Synchronizing(Call::Window));
        if open && std::mem::take(&mut self.undelivered) { Step::Do(Action::Deliver) } else { Step::Wait }
    }

    /// Reports a return or completion without an active call.
    fn no_such_call(&self) -> Step {
        use Stage::{Created, Initialized, Listed, Ready};
        let nothing_called = matches!(self.stage, Created | Initialized | Listed | Ready);
        Step::Misused(if nothing_called { Misuse::Stale } else { Misuse::Late })
    }

    fn transition(&mut self, stage: Stage, action: Action) -> Step {
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
