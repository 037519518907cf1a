//! What a store reads from the one inside it.

// The words of the port, as the macro finds them wherever it is used.
pub(crate) use std::collections::{BTreeMap, BTreeSet};
pub(crate) use std::time::SystemTime;

pub(crate) use syncmgr_core::claim::Claim;
pub(crate) use syncmgr_core::error::SyncResult;
pub(crate) use syncmgr_core::id::{HandlerId, ItemId, SessionId};
pub(crate) use syncmgr_core::item::ItemState;
pub(crate) use syncmgr_core::log::Question;
pub(crate) use syncmgr_core::record::ItemRecord;
pub(crate) use syncmgr_core::retry::RetryState;
pub(crate) use syncmgr_core::store::{HandlerRecord, Histogram, LogRecord, SessionRecord};

/// Every read of a [`StateStore`](syncmgr_core::store::StateStore), from the store in this field.
macro_rules! reads_from {
    ($inner:ident) => {
        fn handlers(
            &self,
        ) -> $crate::reads::SyncResult<
            $crate::reads::BTreeMap<$crate::reads::HandlerId, $crate::reads::HandlerRecord>,
        > {
            self.$inner.handlers()
        }

        fn choices(
            &self,
            handler: $crate::reads::HandlerId,
        ) -> $crate::reads::SyncResult<
            $crate::reads::BTreeMap<$crate::reads::ItemId, $crate::reads::ItemState>,
        > {
            self.$inner.choices(handler)
        }

        fn log(
            &self,
            handler: $crate::reads::HandlerId,
        ) -> $crate::reads::SyncResult<Vec<$crate::reads::LogRecord>> {
            self.$inner.log(handler)
        }

        fn answer(
            &self,
            handler: $crate::reads::HandlerId,
            item: $crate::reads::ItemId,
            question: &$crate::reads::Question,
        ) -> $crate::reads::SyncResult<Option<usize>> {
            self.$inner.answer(handler, item, question)
        }

        fn record(
            &self,
            handler: $crate::reads::HandlerId,
            item: $crate::reads::ItemId,
        ) -> $crate::reads::SyncResult<Option<$crate::reads::ItemRecord>> {
            self.$inner.record(handler, item)
        }

        fn setbacks(
            &self,
            handler: $crate::reads::HandlerId,
        ) -> $crate::reads::SyncResult<
            $crate::reads::BTreeMap<$crate::reads::ItemId, $crate::reads::RetryState>,
        > {
            self.$inner.setbacks(handler)
        }

        fn known(
            &self,
            handler: $crate::reads::HandlerId,
        ) -> $crate::reads::SyncResult<
            $crate::reads::BTreeMap<$crate::reads::ItemId, Option<$crate::reads::SystemTime>>,
        > {
            self.$inner.known(handler)
        }

        fn ended_since(
            &self,
            handler: $crate::reads::HandlerId,
            session: $crate::reads::SessionId,
        ) -> $crate::reads::SyncResult<$crate::reads::BTreeSet<$crate::reads::ItemId>> {
            self.$inner.ended_since(handler, session)
        }

        fn resources(
            &self,
        ) -> $crate::reads::SyncResult<
            $crate::reads::BTreeMap<$crate::reads::Claim, $crate::reads::RetryState>,
        > {
            self.$inner.resources()
        }

        fn sessions(&self) -> $crate::reads::SyncResult<Vec<$crate::reads::SessionRecord>> {
            self.$inner.sessions()
        }

        fn interrupted(&self) -> $crate::reads::SyncResult<Vec<$crate::reads::SessionRecord>> {
            self.$inner.interrupted()
        }

        fn last_session(&self) -> $crate::reads::SyncResult<$crate::reads::SessionId> {
            self.$inner.last_session()
        }

        fn histogram(&self, name: &str) -> $crate::reads::SyncResult<Option<$crate::reads::Histogram>> {
            self.$inner.histogram(name)
        }
    };
}

pub(crate) use reads_from;
