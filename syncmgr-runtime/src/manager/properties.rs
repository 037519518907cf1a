//! The properties of handlers and items.

use syncmgr_core::hresult::HResult;
use syncmgr_core::id::{HandlerId, Subject};
use syncmgr_core::info::HandlerFlags;
use syncmgr_core::item::{ItemFlags, SyncItem};
use syncmgr_core::trigger::Trigger;

use super::SyncManager;
use crate::run::IdleRequest;
use crate::session::{SessionError, StartError, request_and_wait};

impl SyncManager {
    /// Shows the properties of a handler or one of its items. Returns the handler's items once the properties are closed.
    /// Cancel safe; dropping the future does not close the properties.
    ///
    /// The session is for configuration only: `prepare` and `synchronize` are not called.
    ///
    /// See also: R36, R65 to R72.
    ///
    /// # Errors
    /// Returns an error if the handler is not registered, has no such item, did not declare `HAS_PROPERTIES` for the
    /// subject, or fails to show the properties.
    pub async fn show_properties(
        &self,
        handler: HandlerId,
        subject: Subject,
    ) -> Result<Vec<SyncItem>, PropertiesError> {
        let request = self.session(Trigger::Manual).handlers([handler]).may_bother_user().settings();
        let session = request.start()?;
        session.report().await;
        let run = session.run(handler)?;
        let listing = run.listing();
        let declared = match subject {
            Subject::Handler => run.info().flags().contains(HandlerFlags::HAS_PROPERTIES),
            Subject::Item(item) => {
                let listed = listing.item(item).ok_or(SessionError::UnknownItem { handler, item })?;
                listed.flags().contains(ItemFlags::HAS_PROPERTIES)
            }
        };
        if !declared {
            return Err(SessionError::NoProperties { handler }.into());
        }
        request_and_wait(&run, IdleRequest::ShowProperties(subject)).await?;
        let (items, not_shown) = (run.listing().items().to_vec(), run.not_shown());
        session.close().await;
        match not_shown {
            Some((code, reason)) => Err(PropertiesError::NotShown { code, reason }),
            None => Ok(items),
        }
    }
}

/// The error of [`SyncManager::show_properties`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PropertiesError {
    /// The session could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The handler, item or property page does not exist.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The handler failed to show the properties.
    ///
    /// See also: R69.
    #[error("the handler could not show its properties: {reason}")]
    NotShown {
        /// The code of the failure.
        code: HResult,
        /// The handler's error message.
        reason: String,
    },
}
