//! What threads can do to a cell and its cancellation at once, in every order there is: `cargo loom`.

use std::sync::Arc;
use std::task::{Wake, Waker};

use loom::model;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use tokio_util::sync::CancellationToken;

use crate::cancel::{Cancel, CancelReason};
use crate::cell::{ItemCell, Traces};
use crate::error::FailureClass;
use crate::progress::{Progress, ProgressState};
use crate::status::Status;

#[test]
fn whoever_asks_for_the_token_while_it_is_cancelled_hears_of_it() {
    model(|| {
        let cancel = Arc::new(Cancel::default());
        let asking = beside(&cancel, Cancel::token);
        wake(cancel.cancel(CancelReason::Skipped));
        assert!(asking.join().unwrap().is_cancelled());
    });
}

#[test]
fn whoever_asks_for_the_token_while_it_ends_hears_of_it() {
    model(|| {
        let cancel = Arc::new(Cancel::default());
        let asking = beside(&cancel, Cancel::token);
        wake(cancel.close());
        assert!(asking.join().unwrap().is_cancelled());
    });
}

#[test]
fn of_two_reasons_the_first_stays_and_only_its_giver_wakes() {
    model(|| {
        let cancel = Arc::new(Cancel::default());
        let _token = cancel.token();
        let stopping = beside(&cancel, |cancel| cancel.cancel(CancelReason::SessionStopped).is_some());
        let skipped = cancel.cancel(CancelReason::Skipped).is_some();
        assert_ne!(skipped, stopping.join().unwrap());
        let first = if skipped { CancelReason::Skipped } else { CancelReason::SessionStopped };
        assert_eq!(cancel.reason(), Some(first));
    });
}

#[test]
fn the_last_work_to_end_wakes_whoever_saw_it_going_on() {
    model(|| {
        let (cell, woken) = (Arc::<ItemCell>::default(), Arc::<Woken>::default());
        let works = [cell.begin_work(), cell.begin_work()];
        let endings = works.map(|work| thread::spawn(move || drop(work)));
        cell.wake_when_idle(&Waker::from(woken.clone()));
        let saw_it = cell.is_working();
        endings.into_iter().for_each(|ending| ending.join().unwrap());
        assert!(!saw_it || woken.0.load(Ordering::Relaxed));
    });
}

#[test]
fn progress_that_is_fresh_is_seen_whole() {
    model(|| {
        let cell = Arc::<ItemCell>::default();
        let reporting = beside(&cell, |cell| cell.progress(3, Some(9)));
        if cell.take_fresh() {
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
            beside(&cell, |cell| cell.report(&Progress::new().with_text("x").with_status(Status::Updating)));
        let seen = cell.state();
        assert_eq!(seen.text.is_some(), seen.status.is_some());
        reporting.join().unwrap().expect("not cancelled");
    });
}

#[test]
fn what_is_done_with_the_cell_of_an_ended_item_never_reaches_the_next_one() {
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
            let (next, straying) = renewed_beside(stray);
            straying.join().unwrap();
            assert_eq!(next.state(), ProgressState::default());
            assert_eq!((next.traces(), next.cancel().reason()), (Traces::default(), None));
        });
    }
}

#[test]
fn a_token_of_an_ended_item_is_cancelled_and_never_the_next_ones() {
    model(|| {
        let (next, asking) = renewed_beside(|cell| cell.cancel().token());
        assert!(asking.join().unwrap().is_cancelled());
        assert!(!next.cancel().token().is_cancelled());
    });
}

/// The cell of the next item, renewed while another thread does something with the last one's and lets go of it.
///
/// Loom does not see how many hold an `Arc`: that the thread has let go is a flag, with the orderings of the count, and
/// while the flag is not seen another reference stands for the thread's.
fn renewed_beside<T: 'static>(act: impl FnOnce(&ItemCell) -> T + 'static) -> (Arc<ItemCell>, thread::JoinHandle<T>) {
    let (mut cell, let_go) = (Arc::<ItemCell>::default(), Arc::new(AtomicBool::new(false)));
    let (last, letting_go) = (cell.clone(), let_go.clone());
    let acting = thread::spawn(move || {
        let done = act(&last);
        drop(last);
        letting_go.store(true, Ordering::Release);
        done
    });
    let held = (!let_go.load(Ordering::Relaxed)).then(|| cell.clone());
    let mut over = Vec::new();
    ItemCell::renew(&mut cell, 1, &mut over);
    drop(held);
    over.iter().for_each(CancellationToken::cancel);
    (cell, acting)
}

fn beside<S: 'static, T: 'static>(shared: &Arc<S>, act: impl FnOnce(&S) -> T + 'static) -> thread::JoinHandle<T> {
    let shared = shared.clone();
    thread::spawn(move || act(&shared))
}

fn wake(token: Option<CancellationToken>) {
    if let Some(token) = token {
        token.cancel();
    }
}

/// Whether it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
