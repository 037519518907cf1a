//! The promises of a handler, one by one.

use std::fmt;

/// Makes the enum, and what is said of each check: its rules, or where else it is promised, and what they say.
macro_rules! checks {
    ($($(#[$doc:meta])+ $check:ident $name:ident: $rules:literal, $promise:literal;)+) => {
        /// A promise the kit checks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Check {
            $($(#[$doc])+ $check,)+
        }

        impl Check {
            /// Every check, in the order they are made.
            pub const ALL: [Self; 24] = [$(Self::$check),+];

            /// Its name, as in a test's.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$check => stringify!($name)),+ }
            }

            /// The rules of the contract this is, or where else it is promised.
            pub const fn rules(self) -> &'static str {
                match self { $(Self::$check => $rules),+ }
            }

            /// What the contract says.
            pub const fn promise(self) -> &'static str {
                match self { $(Self::$check => $promise),+ }
            }
        }
    };
}

checks! {
    /// Undisturbed, every item succeeds.
    Undisturbed undisturbed: "R97, R99", "with nothing in its way, every chosen item of a handler succeeds";
    /// The handler says the same of itself every time.
    Description description: "R39 to R42", "a handler says the same of itself whenever it is asked";
    /// Items are listed stably.
    Listing listing: "R48, R49", "the same item has the same id in every session, no id is nil, and none occurs twice";
    /// Each item can be run alone, in any order, and nothing else is touched.
    Choice choice: "R84, R97, R120", "the chosen items are synchronized and no others, whichever are chosen";
    /// Statuses come in a legal order and end in one terminal status.
    Statuses statuses: "R105, R106, R120", "reports are about prepared items that have not ended, and each item ends once";
    /// An item that is skipped ends within its deadline, and its neighbours are untouched.
    Skip skip: "R110, R114, R123, R129", "a skipped item ends soon and goes on as if it had not begun; the others are as they were";
    /// Whatever is stopped ends within its deadline.
    Stop stop: "R111, R115, R125", "a handler that is stopped stops all its items soon, and completes";
    /// Stopped anywhere, a further run comes to the same end.
    Resume resume: "`SyncHandler`, Assumptions", "an item may run again after a run that was cut short, and a second run completes the first";
    /// Killed anywhere, a further run comes to the same end.
    Kill kill: "`Saved::commit`", "a commit covers what was awaited before it, so a killed run is completed by the next";
    /// A second run changes nothing.
    Again again: "R104", "a run that finds nothing to do changes nothing";
    /// Where it is promised, doing everything again from nothing leaves the same.
    Repeat repeat: "`Capabilities::IDEMPOTENT`", "IDEMPOTENT: doing an item twice leaves what doing it once leaves";
    /// Where it is promised, an item goes on from what it last saved.
    Resumable resumable: "`Capabilities::RESUMABLE`", "RESUMABLE: an item that was cut short goes on from what it last saved";
    /// Each class of failure leads to the retry that is promised for it.
    Failures failures: "`Classify`", "a handler returns the class of a failure, and the host decides when to come back";
    /// A store that fails or is slow is survived.
    Commits commits: "`Saved::commit`", "an item whose commit failed has not succeeded, and a later run completes it";
    /// A panic touches one item of one run.
    Panics panics: "`SyncHandler`, Guarantees", "a panic touches neither the neighbours of its item nor later runs";
    /// Nobody is asked who may not be bothered.
    Silence silence: "R34, R37, R38, R93", "without MAYBOTHERUSER nobody is asked, and what cannot do without the user needs the user";
    /// The user's attention is given back as soon as the answer is in.
    Attention attention: "R130 to R132", "the user's attention is given back as soon as the answer is in";
    /// What a run keeps is let go with it.
    Release release: "`RunContext::keep`, R138", "what a run keeps lives until the results of its session are closed";
    /// Nothing is reported when it is over.
    Late late: "R77, R120", "a context is not used when its run is over";
    /// Nothing goes on that nobody waits for.
    Tasks tasks: "`ItemContext::spawn`", "work an item starts is awaited before the item has ended";
    /// Slow, refusing and panicking hosts are survived.
    Hosts hosts: "R77, R86, R99, R131", "every call completes once, whatever the host answers, and a later run is as ever";
    /// Whatever an invocation brings along is survived.
    Cookie cookie: "R35", "the bytes of an invocation may be anything";
    /// Nothing blocks the thread.
    Blocking blocking: "`SyncHandler`, Assumptions", "methods do not block their thread";
    /// State written by earlier releases still loads.
    Upgrade upgrade: "`SyncHandler::migrate`", "state is read by every later release";
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
