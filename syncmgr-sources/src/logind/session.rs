//! The state machine behind the source.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use syncmgr_core::environment::{Ending, EndingKind, Environment, Presence};
use syncmgr_core::time::later;
use zbus::Message;

use super::lock::Lock;
use crate::bus::{Daemon, Interest, Object, Service, is_timeout};

const MANAGER: Object<'_> = Object { path: "/org/freedesktop/login1", interface: "org.freedesktop.login1.Manager" };
/// The reason that `systemd-inhibit --list` prints.
const WHY: &str = "Synchronization stops cleanly";

pub(super) struct LoginState {
    lock: Arc<Lock>,
    who: Arc<str>,
    /// The time for which the system waits for a lock.
    max_delay: Duration,
    /// `true` while an answer with a new lock is awaited.
    is_locking: bool,
    /// `true` if the system has refused a lock. The next attempt comes after the next wake.
    is_refused: bool,
    /// `true` once this daemon has answered or announced an end, so that its properties say nothing new about one.
    is_known: bool,
    sleep: Option<Ending>,
    shutdown: Option<Ending>,
    user: Presence,
    idle_since: Option<SystemTime>,
}

pub(super) struct Question {
    who: Option<Arc<str>>,
}

/// The answer to the request for a lock.
#[derive(Debug, Default)]
enum Locking {
    /// There was no request, or no answer in time.
    #[default]
    Unanswered,
    Refused,
    Granted(OwnedFd),
}

/// The answers of systemd-logind.
#[derive(Debug, Default)]
pub(super) struct Answer {
    lock: Locking,
    max_delay: Option<Duration>,
    is_sleeping: Option<bool>,
    is_shutting_down: Option<bool>,
    is_idle: Option<bool>,
    idle_since: Option<SystemTime>,
}

impl LoginState {
    pub(super) fn new(lock: Arc<Lock>, who: Arc<str>) -> Self {
        Self {
            lock,
            who,
            max_delay: Duration::ZERO,
            is_locking: false,
            is_refused: false,
            is_known: false,
            sleep: None,
            shutdown: None,
            user: Presence::Unknown,
            idle_since: None,
        }
    }

    /// Returns the announced end. A shutdown includes sleep.
    fn ending(&self) -> Option<Ending> {
        self.shutdown.or(self.sleep)
    }

    /// Sets or clears an announced end.
    fn announce(&mut self, kind: EndingKind, begins: bool, now: SystemTime) {
        self.is_known = true;
        self.is_refused = self.is_refused && begins;
        let delay = if self.lock.is_held() || self.is_locking { self.max_delay } else { Duration::ZERO };
        let place = if kind == EndingKind::Shutdown { &mut self.shutdown } else { &mut self.sleep };
        let known = place.take();
        *place = begins.then(|| known.unwrap_or_else(|| Ending::new(kind, later(now, delay))));
        self.lock.announce(self.ending());
    }

    fn learn_user(&mut self, answer: &Answer, now: SystemTime) {
        let was_idle = self.idle_since;
        (self.user, self.idle_since) = match answer.is_idle {
            None => (Presence::Unknown, None),
            Some(false) => (Presence::Present, None),
            // A time that is missing or has not come yet is replaced by the time at which the user is seen to be idle.
            Some(true) => {
                (Presence::Absent, answer.idle_since.filter(|since| *since <= now).or(was_idle).or(Some(now)))
            }
        };
    }
}

impl Service for LoginState {
    const NAME: &'static str = "org.freedesktop.login1";
    const VALUES: &'static str = "sleep, shutdown and the presence of the user are";
    const INTERESTS: &'static [Interest] = &[Interest::Object(MANAGER.path)];

    type Question = Question;
    type Answer = Answer;

    fn question(&mut self) -> Question {
        self.is_locking = self.ending().is_none() && !self.lock.is_held() && !self.is_refused;
        Question { who: self.is_locking.then(|| self.who.clone()) }
    }

    async fn ask(daemon: &Daemon<'_>, question: Question) -> Answer {
        let max_delay = daemon.read(MANAGER, "InhibitDelayMaxUSec", max_delay).await;
        Answer {
            lock: match question.who {
                Some(who) => inhibit(daemon, &who).await,
                None => Locking::Unanswered,
            },
            max_delay,
            is_sleeping: daemon.read(MANAGER, "PreparingForSleep", Some::<bool>).await,
            is_shutting_down: daemon.read(MANAGER, "PreparingForShutdown", Some::<bool>).await,
            is_idle: daemon.read(MANAGER, "IdleHint", Some::<bool>).await,
            idle_since: daemon.read(MANAGER, "IdleSinceHint", since).await.flatten(),
        }
    }

    fn answered(&mut self, mut answer: Answer, now: SystemTime) {
        self.max_delay = answer.max_delay.unwrap_or_default();
        let lock = std::mem::take(&mut answer.lock);
        let is_refused = matches!(lock, Locking::Refused);
        self.is_locking = false;
        if let Locking::Granted(lock) = lock {
            self.lock.hold(lock);
        }
        if !self.is_known {
            self.announce(EndingKind::Sleep, answer.is_sleeping == Some(true), now);
            self.announce(EndingKind::Shutdown, answer.is_shutting_down == Some(true), now);
        }
        self.is_refused |= is_refused;
        self.learn_user(&answer, now);
    }

    fn signalled(&mut self, signal: &Message, now: SystemTime) {
        let header = signal.header();
        if header.interface().is_none_or(|interface| *interface != MANAGER.interface) {
            return;
        }
        let kind = match header.member().map(|member| member.as_str()) {
            Some("PrepareForSleep") => EndingKind::Sleep,
            Some("PrepareForShutdown") => EndingKind::Shutdown,
            _ => return,
        };
        match signal.body().deserialize() {
            Ok(begins) => self.announce(kind, begins, now),
            Err(error) => tracing::warn!("{}: a signal of the wrong type: {error}", Self::NAME),
        }
    }

    fn lost(&mut self) {
        self.lock.reset();
        *self = Self::new(self.lock.clone(), self.who.clone());
    }

    fn environment(&self) -> Environment {
        Environment::UNKNOWN.with_user(self.user).with_idle_since(self.idle_since).with_ending(self.ending())
    }
}

/// Takes an inhibitor lock.
async fn inhibit(daemon: &Daemon<'_>, who: &str) -> Locking {
    let reply = daemon.call(MANAGER, "Inhibit", &("sleep:shutdown", who, WHY, "delay")).await;
    match reply.and_then(|reply| reply.body().deserialize::<zbus::OwnedFd>()) {
        Ok(lock) => Locking::Granted(lock.into()),
        Err(error) => {
            daemon.report(format!("no inhibitor lock, so the system will not wait: {error}"));
            if is_timeout(&error) { Locking::Unanswered } else { Locking::Refused }
        }
    }
}

/// Converts `InhibitDelayMaxUSec`. A day is longer than any system waits.
fn max_delay(micros: u64) -> Option<Duration> {
    let delay = Duration::from_micros(micros);
    (delay <= Duration::from_secs(24 * 60 * 60)).then_some(delay)
}

/// Converts a time in microseconds since 1970. Zero means that there is none.
fn since(micros: u64) -> Option<Option<SystemTime>> {
    if micros == 0 {
        return Some(None);
    }
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(micros)).map(Some)
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, PipeReader, Read};

    use super::*;

    const MAX_DELAY: Duration = Duration::from_secs(5);

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn state() -> LoginState {
        LoginState::new(Arc::default(), "test".into())
    }

    /// Returns an answer with a lock, and the daemon's end of the lock.
    fn locked() -> (Answer, PipeReader) {
        let (theirs, ours) = std::io::pipe().unwrap();
        (Answer { lock: Locking::Granted(ours.into()), max_delay: Some(MAX_DELAY), ..Answer::default() }, theirs)
    }

    /// Returns `true` once the lock is closed. Reading would block while it is held, so the descriptor does not block.
    fn is_closed(theirs: &mut PipeReader) -> bool {
        rustix::io::ioctl_fionbio(&*theirs, true).unwrap();
        match theirs.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                false
            }
        }
    }

    #[test]
    fn sleep_has_the_deadline_that_the_system_gives() {
        let mut state = state();
        let (answer, mut theirs) = locked();
        assert!(state.question().who.is_some());
        state.answered(answer, at(0));
        state.announce(EndingKind::Sleep, true, at(10));
        let ending = Ending::new(EndingKind::Sleep, at(15));
        assert_eq!(state.environment().ending, Some(ending));
        assert!(!is_closed(&mut theirs));
        state.lock.release(ending);
        assert!(is_closed(&mut theirs));
        assert_eq!(state.environment().ending, Some(ending));
    }

    #[test]
    fn a_new_lock_is_taken_after_the_wake_and_not_before() {
        let mut state = state();
        let (answer, _theirs) = locked();
        state.question();
        state.answered(answer, at(0));
        assert!(state.question().who.is_none());
        state.announce(EndingKind::Sleep, true, at(10));
        state.lock.release(state.environment().ending.unwrap());
        assert!(state.question().who.is_none());
        state.announce(EndingKind::Sleep, false, at(20));
        assert_eq!(state.environment().ending, None);
        assert!(state.question().who.is_some());
    }

    #[test]
    fn a_release_of_an_earlier_end_keeps_the_lock() {
        let mut state = state();
        let (answer, mut theirs) = locked();
        state.question();
        state.answered(answer, at(0));
        state.announce(EndingKind::Sleep, true, at(10));
        let earlier = state.environment().ending.unwrap();
        state.announce(EndingKind::Sleep, false, at(11));
        state.announce(EndingKind::Sleep, true, at(12));
        state.lock.release(earlier);
        assert!(!is_closed(&mut theirs));
    }

    #[test]
    fn a_lock_that_arrives_after_its_release_is_closed_at_once() {
        let mut state = state();
        let (answer, _) = locked();
        state.answered(Answer { lock: Locking::Unanswered, ..answer }, at(0));
        let (answer, mut theirs) = locked();
        assert!(state.question().who.is_some());
        state.announce(EndingKind::Sleep, true, at(10));
        assert_eq!(state.environment().ending, Some(Ending::new(EndingKind::Sleep, at(15))));
        state.lock.release(state.environment().ending.unwrap());
        state.answered(answer, at(11));
        assert!(is_closed(&mut theirs));
    }

    #[test]
    fn without_a_lock_the_system_does_not_wait() {
        let mut state = state();
        state.question();
        state.answered(Answer { lock: Locking::Refused, max_delay: Some(MAX_DELAY), ..Answer::default() }, at(0));
        state.announce(EndingKind::Sleep, true, at(10));
        assert_eq!(state.environment().ending, Some(Ending::new(EndingKind::Sleep, at(10))));
    }

    #[test]
    fn a_refused_lock_is_asked_for_again_after_the_next_wake() {
        let mut state = state();
        assert!(state.question().who.is_some());
        state.answered(Answer::default(), at(0));
        assert!(state.question().who.is_some(), "there was no answer");
        state.answered(Answer { lock: Locking::Refused, ..Answer::default() }, at(0));
        assert!(state.question().who.is_none());
        state.announce(EndingKind::Sleep, true, at(10));
        state.announce(EndingKind::Sleep, false, at(20));
        assert!(state.question().who.is_some());
    }

    #[test]
    fn a_shutdown_includes_sleep() {
        let mut state = state();
        state.announce(EndingKind::Sleep, true, at(1));
        state.announce(EndingKind::Shutdown, true, at(2));
        assert_eq!(state.environment().ending.unwrap().kind, EndingKind::Shutdown);
        state.announce(EndingKind::Shutdown, false, at(3));
        assert_eq!(state.environment().ending.unwrap().kind, EndingKind::Sleep);
    }

    #[test]
    fn an_end_that_was_announced_before_the_start_is_noticed_once() {
        let mut state = state();
        let sleeping = || Answer { is_sleeping: Some(true), ..Answer::default() };
        state.answered(sleeping(), at(1));
        assert_eq!(state.environment().ending, Some(Ending::new(EndingKind::Sleep, at(1))));
        state.announce(EndingKind::Sleep, false, at(2));
        state.answered(sleeping(), at(3)); // an answer from before the wake
        assert_eq!(state.environment().ending, None);
    }

    #[test]
    fn an_idle_time_that_is_missing_or_not_yet_come_is_the_time_it_is_seen() {
        let mut state = state();
        let idle = |idle_since| Answer { is_idle: Some(true), idle_since, ..Answer::default() };
        state.answered(idle(Some(at(50))), at(100));
        assert_eq!(state.environment().idle_since, Some(at(50)));
        state.answered(Answer { is_idle: Some(false), ..Answer::default() }, at(110));
        assert_eq!((state.environment().user, state.environment().idle_since), (Presence::Present, None));
        state.answered(idle(None), at(120));
        state.answered(idle(Some(at(999))), at(130));
        assert_eq!(state.environment().idle_since, Some(at(120)));
    }

    #[test]
    fn values_outside_their_range_are_unknown() {
        assert_eq!([max_delay(u64::MAX), max_delay(86_400_000_001)], [None; 2]);
        assert_eq!(max_delay(5_000_000), Some(MAX_DELAY));
        assert_eq!(since(0), Some(None));
    }
}
