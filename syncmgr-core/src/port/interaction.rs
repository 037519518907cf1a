//! The user interface of a host.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::Secret;
use crate::error::{NeedsUser, SyncResult};
use crate::id::HandlerId;
use crate::item::SyncItem;
use crate::text::Escaped;

/// The user interface of a host. It replaces the dialogs that handlers of the Windows contract show themselves.
///
/// Handlers use it through [`RunContext::interaction`](crate::context::RunContext::interaction), one handler at a time.
/// Implement the methods that the application needs. If the handler is stopped, the future of its question is dropped: close
/// the dialog then. If a method returns an error, the
/// handler receives it as the result of its question. The host stores the entered secrets in its [`SecretStore`](super::SecretStore).
///
/// An implementation for a terminal:
///
/// ```
/// # use std::io::{self, BufRead, Write};
/// # use syncmgr_core::{error::SyncResult, port::{Asker, Confirmation, Interaction, Secret}};
/// struct Terminal;
///
/// impl Terminal {
///     fn ask(asker: &Asker, question: &str) -> io::Result<String> {
///         print!("{asker}: {question}: "); // "Mail: Inbox: Delete the message on the server? [y/N]: "
///         io::stdout().flush()?;
///         let mut answer = String::new();
///         io::stdin().lock().read_line(&mut answer)?; // blocks: use a blocking thread in a real program
///         Ok(answer.trim().to_string())
///     }
/// }
///
/// #[async_trait::async_trait]
/// impl Interaction for Terminal {
///     async fn confirm(&self, asker: &Asker, question: &str) -> SyncResult<Confirmation> {
///         let yes = Self::ask(asker, &format!("{question} [y/N]"))?.eq_ignore_ascii_case("y");
///         Ok(if yes { Confirmation::Confirm } else { Confirmation::Refuse })
///     }
///
///     async fn choose(&self, asker: &Asker, question: &str, choices: &[String]) -> SyncResult<Option<usize>> {
///         let answer = Self::ask(asker, &format!("{question} ({})", choices.join(", ")))?;
///         Ok(choices.iter().position(|choice| *choice == answer))
///     }
///
///     async fn secret(&self, asker: &Asker, prompt: &str) -> SyncResult<Option<Secret>> {
///         let answer = Self::ask(asker, prompt)?; // turn the echo off, for example with the crate `rpassword`
///         Ok(Some(answer).filter(|answer| !answer.is_empty()).map(Secret::new))
///     }
/// }
/// ```
#[async_trait]
pub trait Interaction: Send + Sync + 'static {
    /// Asks a yes-or-no question. The default refuses.
    ///
    /// # Errors
    /// An error if the user cannot be asked.
    async fn confirm(&self, asker: &Asker, question: &str) -> SyncResult<Confirmation> {
        let _ = (asker, question);
        Ok(Confirmation::Refuse)
    }

    /// Asks the user to choose one of several options, and returns its index. `None` if the user chose none, as by default.
    ///
    /// # Errors
    /// An error if the user cannot be asked.
    async fn choose(&self, asker: &Asker, question: &str, choices: &[String]) -> SyncResult<Option<usize>> {
        let _ = (asker, question, choices);
        Ok(None)
    }

    /// Asks for a secret, such as a password. `None` if the user gave none, as by default.
    ///
    /// # Errors
    /// An error if the user cannot be asked.
    async fn secret(&self, asker: &Asker, prompt: &str) -> SyncResult<Option<Secret>> {
        let _ = (asker, prompt);
        Ok(None)
    }
}

/// The handler that asks the user, and the item that it asks for.
///
/// ```
/// # use syncmgr_core::{id::HandlerId, item::SyncItem, port::Asker};
/// let asker = Asker::new(HandlerId::from_u128(1), "Mail").with_item(SyncItem::named("Inbox"));
/// assert_eq!(asker.to_string(), "Mail: Inbox"); // the title of a dialog
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Asker {
    /// The handler.
    pub handler: HandlerId,
    /// The name of the handler.
    pub handler_name: Arc<str>,
    /// The item. `None` if the handler asks for itself, for example in `prepare`.
    pub item: Option<SyncItem>,
}

impl Asker {
    /// Creates the asker for a handler.
    pub fn new(handler: HandlerId, name: impl Into<Arc<str>>) -> Self {
        Self { handler, handler_name: name.into(), item: None }
    }

    /// Sets the item.
    pub fn with_item(self, item: SyncItem) -> Self {
        Self { item: Some(item), ..self }
    }
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(&self.handler_name).fmt(f)?;
        match &self.item {
            Some(item) => write!(f, ": {}", Escaped(item.name())),
            None => Ok(()),
        }
    }
}

/// The answer to a yes-or-no question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a yes-or-no question has two answers")]
pub enum Confirmation {
    /// Yes.
    Confirm,
    /// No.
    Refuse,
}

/// A permit to use the user's attention, granted to one handler at a time. Dropping it releases the attention.
///
/// The counterpart of `EnableModeless`: acquiring the permit corresponds to a call with `TRUE` that returns `S_OK`, and
/// dropping it to a call with `FALSE`.
///
/// ```
/// # use std::sync::Arc;
/// # use syncmgr_core::{error::SyncResult, id::HandlerId};
/// # use syncmgr_core::port::{Asker, Confirmation, Interaction, InteractionPermit};
/// # struct Agrees;
/// # #[async_trait::async_trait]
/// # impl Interaction for Agrees {
/// #     async fn confirm(&self, _: &Asker, _: &str) -> SyncResult<Confirmation> { Ok(Confirmation::Confirm) }
/// # }
/// let turn = Arc::new(()); // a host's lock on the user's attention
/// let mail = Asker::new(HandlerId::from_u128(1), "Mail");
/// let permit = InteractionPermit::new(Arc::new(Agrees), mail, turn.clone());
/// # futures::executor::block_on(async {
/// assert_eq!(permit.confirm("Accept the certificate?").await?, Confirmation::Confirm);
/// # Ok::<(), anyhow::Error>(())
/// # })?;
/// drop(permit);
/// assert_eq!(Arc::strong_count(&turn), 1); // the next handler may ask
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// See also: R133.
#[must_use = "dropping the permit releases the user's attention"]
pub struct InteractionPermit {
    interaction: Arc<dyn Interaction>,
    asker: Asker,
    _held: Box<dyn Any + Send + Sync>,
}

impl InteractionPermit {
    /// Creates a permit for `interaction`. `held` is dropped with the permit.
    pub fn new(interaction: Arc<dyn Interaction>, asker: Asker, held: impl Any + Send + Sync) -> Self {
        Self { interaction, asker, _held: Box::new(held) }
    }

    pub(crate) fn for_item(mut self, item: &SyncItem) -> Self {
        self.asker = self.asker.with_item(item.clone());
        self
    }

    /// Replaces the user interface, for a layer between a handler and its host such as a recorder.
    #[doc(hidden)]
    pub fn wrap(mut self, wrapper: impl FnOnce(Arc<dyn Interaction>) -> Arc<dyn Interaction>) -> Self {
        self.interaction = wrapper(self.interaction);
        self
    }

    /// Asks a yes-or-no question.
    ///
    /// # Errors
    /// The error of the user interface, if any.
    pub async fn confirm(&self, question: &str) -> SyncResult<Confirmation> {
        self.interaction.confirm(&self.asker, question).await
    }

    /// Asks the user to choose one of several options. `None` if the user chose none.
    ///
    /// # Errors
    /// The error of the user interface, if any.
    pub async fn choose(&self, question: &str, choices: &[String]) -> SyncResult<Option<usize>> {
        self.interaction.choose(&self.asker, question, choices).await
    }

    /// Asks for a secret that is not stored. `None` if the user gave none.
    ///
    /// Prefer [`RunContext::secret`](crate::context::RunContext::secret), which also works in later sessions that may not
    /// ask the user.
    ///
    /// # Errors
    /// The error of the user interface, if any.
    pub async fn secret(&self, prompt: &str) -> SyncResult<Option<Secret>> {
        self.interaction.secret(&self.asker, prompt).await
    }
}

impl fmt::Debug for InteractionPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InteractionPermit({})", self.asker)
    }
}

/// Returns the error of a host that cannot ask the user.
pub fn user_unavailable() -> NeedsUser {
    NeedsUser::new("the user cannot be asked in this session")
}
