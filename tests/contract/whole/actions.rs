//! Actions of users as data, which name sessions, handlers, items and entries by index, modulo their number.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use syncmgr::Trigger;

/// The index of a handler that is not registered.
pub(crate) const UNREGISTERED: usize = 8;

/// An action of a user and its delay.
#[derive(Clone, Debug)]
pub(crate) struct TimedAction {
    /// The milliseconds since the previous action.
    pub(crate) after: u16,
    pub(crate) action: UserAction,
}

#[derive(Clone, Debug)]
pub(crate) enum UserAction {
    Start(SessionSpec),
    Invoke {
        handler: usize,
        chooses: bool,
    },
    UpdateAll,
    Skip {
        session: usize,
        handler: usize,
        item: usize,
    },
    StopHandler {
        session: usize,
        handler: usize,
    },
    StopSession(usize),
    PauseSession(usize),
    ResumeSession(usize),
    Pause,
    Resume,
    /// Opens an entry of a session's log, or answers its question.
    Open {
        session: usize,
        entry: usize,
        choice: usize,
    },
    /// Opens an entry of the stored log, or answers its question.
    OpenStored {
        handler: usize,
        entry: usize,
        choice: usize,
    },
    Report(usize),
    Finish(usize),
    Close(usize),
    Drop(usize),
    Watch(usize),
    Unregister(usize),
    Register(usize),
    Forget(usize),
    SetFlags(usize, u32),
    Properties(usize),
}

/// A session that a user requests.
#[derive(Clone, Debug)]
pub(crate) struct SessionSpec {
    pub(crate) trigger: Trigger,
    pub(crate) scope: Scope,
    pub(crate) may_bother: bool,
    pub(crate) urgent: Option<bool>,
    pub(crate) deadline: Option<u16>,
    pub(crate) cookie: Option<u8>,
}

/// The handlers and items of a session.
#[derive(Clone, Debug)]
pub(crate) enum Scope {
    Everything,
    /// A bit mask of handlers.
    Handlers(u8),
    /// A handler and a bit mask of its items; no handler lists the items of the two highest bits.
    Items(usize, u8),
}

/// The start of a session, followed by fewer than `max` actions.
pub(crate) fn actions(max: usize) -> impl Strategy<Value = Vec<TimedAction>> {
    let after = prop_oneof![2 => Just(0_u16), 3 => 1..250_u16];
    let timed = (after, action()).prop_map(|(after, action)| TimedAction { after, action });
    let first =
        (0..50_u16, session_spec()).prop_map(|(after, spec)| TimedAction { after, action: UserAction::Start(spec) });
    (first, vec(timed, 0..max)).prop_map(|(first, actions)| std::iter::once(first).chain(actions).collect())
}

fn action() -> impl Strategy<Value = UserAction> {
    use UserAction::*;
    let (session, handler) = (|| 0..8_usize, || 0..=UNREGISTERED);
    let skip = (session(), handler(), 0..6_usize).prop_map(|(session, handler, item)| Skip { session, handler, item });
    let open = (session(), 0..6_usize, 0..3_usize);
    let open = open.prop_map(|(session, entry, choice)| Open { session, entry, choice });
    let stored = (handler(), 0..6_usize, 0..3_usize);
    let stored = stored.prop_map(|(handler, entry, choice)| OpenStored { handler, entry, choice });
    let stop = (session(), handler()).prop_map(|(session, handler)| StopHandler { session, handler });
    let observations = prop_oneof![
        session().prop_map(Report),
        session().prop_map(Finish),
        session().prop_map(Close),
        session().prop_map(Drop),
        session().prop_map(Watch)
    ];
    let pauses = prop_oneof![
        1 => session().prop_map(PauseSession),
        1 => session().prop_map(ResumeSession),
        1 => Just(Pause),
        2 => Just(Resume)
    ];
    let registers = prop_oneof![
        1 => handler().prop_map(Unregister),
        3 => handler().prop_map(Register),
        1 => handler().prop_map(Forget),
        1 => (handler(), 0..8_u32).prop_map(|(handler, flags)| SetFlags(handler, flags)),
        1 => handler().prop_map(Properties)
    ];
    let invoke = (handler(), any::<bool>()).prop_map(|(handler, chooses)| Invoke { handler, chooses });
    let starts = prop_oneof![6 => session_spec().prop_map(Start), 1 => invoke, 1 => Just(UpdateAll)];
    prop_oneof![
        6 => starts,
        6 => skip,
        2 => stop,
        2 => session().prop_map(StopSession),
        3 => pauses,
        6 => open,
        2 => stored,
        4 => observations,
        2 => registers,
    ]
}

fn session_spec() -> impl Strategy<Value = SessionSpec> {
    let trigger = prop::sample::select(vec![
        Trigger::Manual,
        Trigger::Manual,
        Trigger::Connect,
        Trigger::PendingDisconnect,
        Trigger::Idle,
        Trigger::Invoke,
        Trigger::Scheduled,
    ]);
    let items = (0..UNREGISTERED, any::<u8>()).prop_map(|(handler, items)| Scope::Items(handler, items));
    let scope = prop_oneof![
        2 => Just(Scope::Everything),
        2 => any::<u8>().prop_map(Scope::Handlers),
        1 => items,
    ];
    let terms = (any::<bool>(), option::weighted(0.2, any::<bool>()));
    let rare = (option::weighted(0.1, 1..500_u16), option::weighted(0.2, 0..2_u8));
    (trigger, scope, terms, rare).prop_map(|(trigger, scope, (may_bother, urgent), (deadline, cookie))| SessionSpec {
        trigger,
        scope,
        may_bother,
        urgent,
        deadline,
        cookie,
    })
}
