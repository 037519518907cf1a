//! Identifiers: the GUIDs of the contract as distinct types.
//!
//! ```
//! # use syncmgr_core::id::{HandlerId, ItemId};
//! let mail: HandlerId = "5d0f0f6e-6b6c-4a43-9d6e-3c1f0a2b7c11".parse()?;
//! assert_ne!(mail.instance("ann"), mail.instance("bob"));
//! assert_eq!(ItemId::from_name("Inbox"), ItemId::from_name("Inbox")); // in every session
//! # Ok::<(), anyhow::Error>(())
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::text::{Escaped, bounded};

/// Defines a GUID newtype.
macro_rules! guid {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Creates an id from a GUID.
            pub const fn new(guid: Uuid) -> Self {
                Self(guid)
            }

            /// Creates an id from its 128 bits, read as a big-endian number.
            pub const fn from_u128(value: u128) -> Self {
                Self(Uuid::from_u128(value))
            }

            /// Returns the GUID.
            pub const fn guid(self) -> Uuid {
                self.0
            }

            /// Returns `true` if this is `GUID_NULL`, which is not a valid id of a handler, item or log entry.
            pub const fn is_nil(self) -> bool {
                self.0.is_nil()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            /// Parses a GUID in any of its usual spellings: with or without hyphens, braces and capitals.
            fn from_str(text: &str) -> Result<Self, IdError> {
                guid(text).map(Self)
            }
        }

        impl Serialize for $name {
            /// Serializes the id as text in every format.
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(GuidText).map(Self)
            }
        }
    };
}

guid! {
    /// The id of a handler: its CLSID in the Windows contract.
    HandlerId
}

guid! {
    /// The id of an item of one handler: `SYNCMGRITEMID`.
    ///
    /// The same item has the same id in every session. The nil id is not valid.
    ItemId
}

guid! {
    /// The id of an entry of the error log: `SYNCMGRERRORID`.
    ErrorId
}

impl HandlerId {
    /// Returns the id of one of several handlers of the same type, derived from this id and `key`. The derived id is
    /// stable.
    pub fn instance(self, key: &str) -> Self {
        Self(Uuid::new_v5(&self.0, key.as_bytes()))
    }
}

impl ItemId {
    /// The namespace of ids derived from names.
    const NAMES: Uuid = Uuid::from_u128(0x0a2e_6e0f_8f5b_5c1c_9a64_7f3f_0d0f_51c5);

    /// Returns the id derived from a name. The id is the same in every session.
    pub fn from_name(name: &str) -> Self {
        Self::from_name_bytes(name.as_bytes())
    }

    /// Returns the id derived from a name that need not be UTF-8, such as a file name.
    ///
    /// ```
    /// # use syncmgr_core::id::ItemId;
    /// let name = b"caf\xe9.txt"; // a file name in Latin-1
    /// assert_ne!(ItemId::from_name_bytes(name), ItemId::from_name(&String::from_utf8_lossy(name)));
    /// ```
    pub fn from_name_bytes(name: &[u8]) -> Self {
        Self(Uuid::new_v5(&Self::NAMES, name))
    }
}

impl ErrorId {
    /// The namespace of derived error ids.
    const ENTRIES: Uuid = Uuid::from_u128(0x51f1_3b0e_6a55_5d0e_8c0e_0c58_7c9a_20d1);

    /// Returns the id derived from a key. Use it to replace or delete an entry later without storing its id.
    ///
    /// ```
    /// # use syncmgr_core::id::ErrorId;
    /// let quota = ErrorId::from_key("quota"); // the entry of the next session replaces the entry of this session
    /// assert_eq!(quota, ErrorId::from_key("quota"));
    /// ```
    pub fn from_key(key: &str) -> Self {
        Self(Uuid::new_v5(&Self::ENTRIES, key.as_bytes()))
    }

    /// Returns the id of the log entry for the question `key` of `item`.
    pub fn of_question(item: ItemId, key: &str) -> Self {
        Self::from_key(&format!("{item} {key}"))
    }
}

/// The error of parsing text that is not a GUID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not an id; write a GUID, such as 5d0f0f6e-6b6c-4a43-9d6e-3c1f0a2b7c11", Escaped(.text))]
pub struct IdError {
    text: String,
}

/// Deserializes a GUID from text.
struct GuidText;

impl de::Visitor<'_> for GuidText {
    type Value = Uuid;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a GUID as text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Uuid, E> {
        guid(text).map_err(E::custom)
    }
}

/// Parses a GUID.
fn guid(text: &str) -> Result<Uuid, IdError> {
    /// The maximum length of invalid text in the error message, in bytes.
    const SHOWN: usize = 64;
    Uuid::try_parse(text).map_err(|_| IdError { text: bounded(text, SHOWN).into_owned() })
}

/// The number of a session, counted from 1. A persistent store continues the count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[expect(clippy::exhaustive_structs, reason = "a number and nothing else")]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The subject of a call: the handler as a whole, or one of its items.
///
/// `Handler` corresponds to `GUID_NULL` in the Windows contract, for "the handler itself" or "all items".
///
/// ```
/// # use syncmgr_core::id::{ItemId, Subject};
/// let shown = |subject| match subject {
///     Subject::Handler => "the account",
///     Subject::Item(_) => "one folder",
/// };
/// assert_eq!(shown(Subject::Item(ItemId::from_name("Inbox"))), "one folder");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the contract has no other subject, and a handler must handle both")]
pub enum Subject {
    /// The handler itself, or all of its items: `GUID_NULL`.
    Handler,
    /// One item.
    Item(ItemId),
}

impl Subject {
    /// Returns the item; `None` for the handler.
    pub const fn item(self) -> Option<ItemId> {
        match self {
            Self::Handler => None,
            Self::Item(item) => Some(item),
        }
    }
}

/// A selection of a run's log entries: the argument of `DeleteLogError`.
///
/// See also: R142, R143.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the contract has no other scope")]
pub enum ErrorScope {
    /// Every entry of this run: `GUID_NULL`.
    All,
    /// The entries with this id.
    One(ErrorId),
}

/// The GUIDs of `mobsync.h`, for bridges to the original interfaces.
pub mod guids {
    use uuid::{Uuid, uuid};

    /// `CLSID_SyncMgr`: the manager.
    pub const CLSID_SYNC_MGR: Uuid = uuid!("6295DF27-35EE-11D1-8707-00C04FD93327");
    /// `IID_ISyncMgrSynchronize`: [`ClassicHandler`](crate::classic::ClassicHandler).
    pub const IID_SYNCHRONIZE: Uuid = uuid!("6295DF40-35EE-11D1-8707-00C04FD93327");
    /// `IID_ISyncMgrSynchronizeCallback`: [`SyncCallback`](crate::classic::SyncCallback).
    pub const IID_SYNCHRONIZE_CALLBACK: Uuid = uuid!("6295DF41-35EE-11D1-8707-00C04FD93327");
    /// `IID_ISyncMgrRegister`: [`Registry`](crate::register::Registry).
    pub const IID_REGISTER: Uuid = uuid!("6295DF42-35EE-11D1-8707-00C04FD93327");
    /// `IID_ISyncMgrEnumItems`: [`Items`](crate::item::Items).
    pub const IID_ENUM_ITEMS: Uuid = uuid!("6295DF2A-35EE-11D1-8707-00C04FD93327");
    /// `IID_ISyncMgrSynchronizeInvoke`: [`Invocation`](crate::register::Invocation).
    pub const IID_SYNCHRONIZE_INVOKE: Uuid = uuid!("6295DF2C-35EE-11D1-8707-00C04FD93327");
    /// `LIBID_SyncObjects`: the type library, which is not registered.
    pub const LIBID_SYNC_OBJECTS: Uuid = uuid!("6E586F48-379C-459C-9BEB-624A7E8316EB");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_ids_differ_if_and_only_if_the_names_differ() {
        assert_eq!(ItemId::from_name("inbox"), ItemId::from_name_bytes(b"inbox"));
        assert_ne!(ItemId::from_name("inbox"), ItemId::from_name("Inbox"));
    }

    #[test]
    fn instances_of_one_handler_have_different_ids() {
        let mail = HandlerId::from_u128(7);
        assert_ne!(mail.instance("ann"), mail.instance("bob"));
        assert_eq!(mail.instance("ann"), mail.instance("ann"));
        assert_ne!(mail.instance("ann"), mail);
    }

    #[test]
    fn an_id_parses_from_every_usual_spelling_of_its_guid() {
        let id = HandlerId::from_u128(0x5d0f_0f6e_6b6c_4a43_9d6e_3c1f_0a2b_7c11);
        for text in [
            "5d0f0f6e-6b6c-4a43-9d6e-3c1f0a2b7c11",
            "{5D0F0F6E-6B6C-4A43-9D6E-3C1F0A2B7C11}",
            "5d0f0f6e6b6c4a439d6e3c1f0a2b7c11",
        ] {
            assert_eq!(text.parse(), Ok(id));
            assert_eq!(serde_json::from_value::<HandlerId>(text.into()).unwrap(), id);
        }
    }

    #[test]
    fn text_that_is_not_a_guid_is_refused_and_truncated_in_the_error() {
        let message = |text: &str| text.parse::<ItemId>().unwrap_err().to_string();
        assert!(message("in\x1bbox").starts_with("`in\\u{1b}box` is not an id; write a GUID"));
        assert!(message("").starts_with("`` is not an id"));
        assert!(message(&"x".repeat(1_000_000)).len() < 200);
    }

    #[test]
    fn ids_serialize_as_text_and_session_ids_as_numbers() {
        let written = |value: serde_json::Result<String>| value.unwrap();
        let text = "\"00000000-0000-0000-0000-000000000007\"";
        assert_eq!(written(serde_json::to_string(&HandlerId::from_u128(7))), text);
        assert_eq!(written(serde_json::to_string(&ItemId::from_u128(7))), text);
        assert_eq!(written(serde_json::to_string(&ErrorId::from_u128(7))), text);
        assert_eq!(written(serde_json::to_string(&SessionId(7))), "7");
    }
}
