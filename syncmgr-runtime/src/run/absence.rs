//! Items that are absent from a complete listing.

use std::collections::BTreeSet;

use syncmgr_core::decision::absence::{Absence, Suspicion};
use syncmgr_core::decision::ledger::HANDLER_ITSELF;
use syncmgr_core::decision::listing::Listing;
use syncmgr_core::decision::verdict::Outcome;
use syncmgr_core::error::one_line;
use syncmgr_core::id::{ErrorId, ErrorScope};
use syncmgr_core::item::{Completeness, SyncItem};
use syncmgr_core::log::{LogEntry, LogLevel, Question, Remedy};
use syncmgr_core::record::ItemEnd;
use syncmgr_core::store::StateChange;

use super::Run;
use crate::host::{Recorded, Records};

/// The key of the question about a listing in which many items are missing.
const ABSENCE: &str = "absence";

impl Run {
    /// Records the items that are absent, and forgets those that have been absent for 30 days. A listing in which too many
    /// items are missing counts as incomplete, unless the user confirms it.
    pub(super) async fn update_absence(&self, listing: Listing) -> (Listing, Recorded) {
        let (host, handler) = (self.host(), self.id.handler);
        if host.records != Records::All || listing.completeness() != Completeness::Complete {
            return (listing, Recorded::Listed);
        }
        let mut known = match host.read_many(move |store| store.recorded_items(handler)).await {
            Ok(known) => known,
            Err(error) => {
                let text = format!("the records of the handler cannot be read: {}", one_line(&error));
                self.log(LogEntry::new(LogLevel::Error, text));
                return (listing, Recorded::Missing);
            }
        };
        known.remove(&HANDLER_ITSELF);
        let listed: BTreeSet<_> = listing.items().iter().map(SyncItem::id).collect();
        let now = host.now().wall;
        let mut absence = Absence::of(&known, &listed, now);
        if let Some(suspicion) = absence.suspicion {
            if !self.is_confirmed(suspicion) {
                return (listing.incomplete(), Recorded::Missing);
            }
            absence = Absence::confirmed(&known, &listed, now);
        }
        // The store may refuse the changes, so that the next listing has to repeat them.
        let is_recorded = absence.missing == 0 && absence.changed.is_empty();
        if !absence.changed.is_empty() {
            self.store(StateChange::Absent { handler, items: absence.changed });
        }
        for item in absence.forgotten {
            let effects = self.decide(|ledger, _| ledger.forget_absent(handler, item));
            self.apply(effects);
        }
        (listing, if is_recorded { Recorded::Listed } else { Recorded::Missing })
    }

    /// Returns `true` if the user has confirmed the listing. If there is no answer, logs the question.
    fn is_confirmed(&self, suspicion: Suspicion) -> bool {
        let (host, handler, item) = (self.host(), self.id.handler, HANDLER_ITSELF);
        let digest = suspicion.known as u64 ^ (suspicion.missing as u64) << 32;
        let question = Question::of_host(ABSENCE, &suspicion.to_string(), [Remedy::Allow, Remedy::Refuse], digest);
        let answer = host.answer_to(handler, item, &question).and_then(|answer| question.remedies.get(answer));
        if answer == Some(&Remedy::Allow) {
            let consumed = vec![question.key.clone()];
            self.decide(|ledger, _| ledger.consume_answers(handler, item, &consumed));
            let end = ItemEnd::new(Outcome::Succeeded).with_consumed(consumed);
            let (fence, time) = (self.attempt().fence(), host.now().wall);
            self.store(StateChange::Ended { handler, fence, time, items: vec![(item, end)] });
            return true;
        }
        if answer.is_none() {
            let id = ErrorId::of_question(item, ABSENCE);
            self.events().delete(ErrorScope::One(id));
            let entry = LogEntry::new(LogLevel::Warning, &question.text).with_item(item);
            self.log(entry.with_question(id, question));
        }
        false
    }
}
