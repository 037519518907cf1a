//! Loom models of concurrent access to a cell and its cancellation. Run them with `cargo loom`.

use std::sync::Arc;
use std::task::{Wake, Waker};

use loom::model;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use tokio_util::sync::CancellationToken;

use crate::cancel::{Cancel, CancelReason};
use crate::cell::{ItemCell, ItemSignals};
use crate::error::FailureClass;
use crate::progress::{Progress, ProgressState};
use crate::status::Status;

#[test]
fn a_token_requested_during_a_cancel_is_cancelled() {
    model(|| {
        let cancel = Arc::new(Cancel::default());
        let asking = spawn_on(&cancel, Cancel::token);
        wake(cancel.cancel(CancelReason::Skipped));
        assert!(asking.join().unwrap().is_cancelled());
    });
}

#[test]
fn a_token_requested_during_a_close_is_cancelled() {
    model(|| {
        let cancel = Arc::new(Cancel::default());
        let asking = spawn_on(&cancel, Cancel::token);
        wake(cancel.close());
        assert!(asking.join().unwrap().is_cancelled());
    });
}

#[test]
fn the_first_of_two_reasons_stays_and_only_its_caller_wakes() {
    model(|| {
        let cancel = Arc::new(Cancel::default());
        let _token = cancel.token();
        let stopping = spawn_on(&cancel, |cancel| cancel.cancel(CancelReason::SessionStopped).is_some());
        let skipped = cancel.cancel(CancelReason::Skipped).is_some();
        assert_ne!(skipped, stopping.join().unwrap());
        let first = if skipped { CancelReason::Skipped } else { CancelReason::SessionStopped };
        assert_eq!(cancel.reason(), Some(first));
    });
}

#[test]
fn the_end_of_the_last_work_wakes_a_waiter_that_saw_it_running() {
    model(|| {
        let (cell, woken) = (Arc::<ItemCell>::default(), Arc::<Woken>::default());
        let works = [cell.begin_work(), cell.begin_work()];
        let endings = works.map(|work| thread::spawn(move || drop(work)));
        cell.wake_when_work_ends(&Waker::from(woken.clone()));
        let saw_it = cell.is_working();
        endings.into_iter().for_each(|ending| ending.join().unwrap());
        assert!(!saw_it || woken.0.load(Ordering::Relaxed));
    });
}

#[test]
fn new_progress_is_seen_with_its_value_and_its_total() {
    model(|| {
        let cell = Arc::<ItemCell>::default();
        let reporting = spawn_on(&cell, |cell| cell.progress(3, Some(9)));
        if cell.take_new_progress() {
            assert_eq!((cell.state().value, cell.state().max), (3, 9));
        }
        reporting.join().unwrap().expect("not cancelled");
    });
}

#[test]
fn the_text_and_the_status_of_a_report_are_seen_together() {
    model(|| {
        let cell = Arc::<ItemCell>::default();
        cell.tolerate(FailureClass::Gone);
        let reporting =
            spawn_on(&cell, |cell| cell.report(&Progress::new().with_text("x").with_status(Status::Updating)));
        let seen = cell.state();
        assert_eq!(seen.text.is_some(), seen.status.is_some());
        reporting.join().unwrap().expect("not cancelled");
    });
}

#[test]
fn a_stray_use_of_an_ended_items_cell_never_reaches_the_next_item() {
    for stray in [
        |cell: &ItemCell| {
            let _ = cell.progress(3, Some(9));
        },
        |cell: &ItemCell| {
            let _ = cell.report(&Progress::new().with_text("x").with_status(Status::Failed));
        },
        |cell: &ItemCell| cell.tolerate(FailureClass::Permanent),
        |cell: &ItemCell| wake(cell.cancel().cancel(CancelReason::Skipped)),
    ] {
        model(move || {
            let (next, stray) = renew_while(stray);
            stray.join().unwrap();
            assert_eq!(next.state(), ProgressState::default());
            assert_eq!((next.signals(), next.cancel().reason()), (ItemSignals::default(), None));
        });
    }
}

#[test]
fn the_token_of_an_ended_item_is_cancelled_and_the_next_token_is_not() {
    model(|| {
        let (next, asking) = renew_while(|cell| cell.cancel().token());
        assert!(asking.join().unwrap().is_cancelled());
        assert!(!next.cancel().token().is_cancelled());
    });
}

/// Renews a cell while another thread uses the cell of the previous item and drops its reference.
///
/// Loom does not model the reference count of an `Arc`. A flag with the orderings of the count models the drop. Until this
/// thread sees the flag, `held` stands for the other thread's reference.
fn renew_while<T: 'static>(act: impl FnOnce(&ItemCell) -> T + 'static) -> (Arc<ItemCell>, thread::JoinHandle<T>) {
    let (mut cell, dropped) = (Arc::<ItemCell>::default(), Arc::new(AtomicBool::new(false)));
    let (last, set_dropped) = (cell.clone(), dropped.clone());
    let acting = thread::spawn(move || {
        let done = act(&last);
        drop(last);
        set_dropped.store(true, Ordering::Release);
        done
    });
    let held = (!dropped.load(Ordering::Relaxed)).then(|| cell.clone());
    let mut closed = Vec::new();
    ItemCell::renew(&mut cell, 1, &mut closed);
    drop(held);
    closed.iter().for_each(CancellationToken::cancel);
    (cell, acting)
}

fn spawn_on<S: 'static, T: 'static>(shared: &Arc<S>, act: impl FnOnce(&S) -> T + 'static) -> thread::JoinHandle<T> {
    let shared = shared.clone();
    thread::spawn(move || act(&shared))
}

fn wake(token: Option<CancellationToken>) {
    if let Some(token) = token {
        token.cancel();
    }
}

/// A waker that records its wake.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
