//! What people do, as data. Sessions, handlers, items and entries are named by place, modulo how many there are.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use syncmgr::Trigger;

/// The place of a handler that nobody has registered.
pub(crate) const NOBODY: usize = 8;

/// Something somebody does, so many milliseconds after the act before.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    pub(crate) after: u16,
    pub(crate) deed: Deed,
}

#[derive(Clone, Debug)]
pub(crate) enum Deed {
    Start(Wanted),
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
    /// The same in the stored log.
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

/// A session somebody asks for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) trigger: Trigger,
    pub(crate) scope: Scope,
    pub(crate) may_bother: bool,
    pub(crate) urgent: Option<bool>,
    pub(crate) deadline: Option<u16>,
    pub(crate) cookie: Option<u8>,
}

/// Over what.
#[derive(Clone, Debug)]
pub(crate) enum Scope {
    Everything,
    /// These handlers, as bits.
    Handlers(u8),
    /// These items of a handler, as bits; the last two are not listed by anybody.
    Items(usize, u8),
}

/// A session that is started, and at most so many acts in all.
pub(crate) fn acts(most: usize) -> impl Strategy<Value = Vec<Act>> {
    let after = prop_oneof![2 => Just(0_u16), 3 => 1..250_u16];
    let act = (after, deed()).prop_map(|(after, deed)| Act { after, deed });
    let first = (0..50_u16, wanted()).prop_map(|(after, wanted)| Act { after, deed: Deed::Start(wanted) });
    (first, vec(act, 0..most)).prop_map(|(first, acts)| std::iter::once(first).chain(acts).collect())
}

fn deed() -> impl Strategy<Value = Deed> {
    use Deed::*;
    let (session, handler) = (|| 0..8_usize, || 0..=NOBODY);
    let skip = (session(), handler(), 0..6_usize).prop_map(|(session, handler, item)| Skip { session, handler, item });
    let open = (session(), 0..6_usize, 0..3_usize);
    let open = open.prop_map(|(session, entry, choice)| Open { session, entry, choice });
    let stored = (handler(), 0..6_usize, 0..3_usize);
    let stored = stored.prop_map(|(handler, entry, choice)| OpenStored { handler, entry, choice });
    let stop = (session(), handler()).prop_map(|(session, handler)| StopHandler { session, handler });
    let looks = prop_oneof![
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
    let starts = prop_oneof![6 => wanted().prop_map(Start), 1 => invoke, 1 => Just(UpdateAll)];
    prop_oneof![
        6 => starts,
        6 => skip,
        2 => stop,
        2 => session().prop_map(StopSession),
        3 => pauses,
        6 => open,
        2 => stored,
        4 => looks,
        2 => registers,
    ]
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let trigger = prop::sample::select(vec![
        Trigger::Manual,
        Trigger::Manual,
        Trigger::Connect,
        Trigger::PendingDisconnect,
        Trigger::Idle,
        Trigger::Invoke,
        Trigger::Scheduled,
    ]);
    let items = (0..NOBODY, any::<u8>()).prop_map(|(handler, items)| Scope::Items(handler, items));
    let scope = prop_oneof![
        2 => Just(Scope::Everything),
        2 => any::<u8>().prop_map(Scope::Handlers),
        1 => items,
    ];
    let terms = (any::<bool>(), option::weighted(0.2, any::<bool>()));
    let rare = (option::weighted(0.1, 1..500_u16), option::weighted(0.2, 0..2_u8));
    (trigger, scope, terms, rare).prop_map(|(trigger, scope, (may_bother, urgent), (deadline, cookie))| Wanted {
        trigger,
        scope,
        may_bother,
        urgent,
        deadline,
        cookie,
    })
}
