//! Identifiers: GUIDs of the contract as types that cannot be mixed up.

use std::fmt;

use uuid::Uuid;

/// Defines a GUID newtype.
macro_rules! guid {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with this value.
            pub const fn new(guid: Uuid) -> Self {
                Self(guid)
            }

            /// The id whose 128 bits, read as a big-endian number, are `value`.
            pub const fn from_u128(value: u128) -> Self {
                Self(Uuid::from_u128(value))
            }

            /// The GUID behind the id.
            pub const fn guid(self) -> Uuid {
                self.0
            }

            /// Whether this is `GUID_NULL`, which no handler, item or error may carry.
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
    };
}

guid! {
    /// Names a handler: the handler's CLSID in the Windows contract.
    HandlerId
}

guid! {
    /// Names an item of one handler: `SYNCMGRITEMID`.
    ///
    /// The same item has the same id in every session (R48); no item uses the nil id (R49).
    ItemId
}

guid! {
    /// Names an entry of the error log: `SYNCMGRERRORID`.
    ErrorId
}

impl HandlerId {
    /// The id of one of several handlers of the same type: derived from this id and `key`, the same every time.
    pub fn instance(self, key: &str) -> Self {
        Self(Uuid::new_v5(&self.0, key.as_bytes()))
    }
}

impl ItemId {
    /// The namespace of ids derived from names.
    const NAMES: Uuid = Uuid::from_u128(0x0a2e_6e0f_8f5b_5c1c_9a64_7f3f_0d0f_51c5);

    /// The id derived from a name: the same name gives the same id in every session (R48).
    pub fn from_name(name: &str) -> Self {
        Self::from_bytes(name.as_bytes())
    }

    /// The id derived from a name that need not be UTF-8, such as a file name.
    pub fn from_bytes(name: &[u8]) -> Self {
        Self(Uuid::new_v5(&Self::NAMES, name))
    }
}

impl ErrorId {
    /// The namespace of derived error ids.
    const ENTRIES: Uuid = Uuid::from_u128(0x51f1_3b0e_6a55_5d0e_8c0e_0c58_7c9a_20d1);

    /// The id derived from a key: use it to replace or delete an entry later without keeping its id.
    pub fn from_key(key: &str) -> Self {
        Self(Uuid::new_v5(&Self::ENTRIES, key.as_bytes()))
    }

    /// The id of the entry that asks the question `key` of `item`.
    pub fn of_question(item: ItemId, key: &str) -> Self {
        Self::from_key(&format!("{item} {key}"))
    }
}

/// Numbers a session of one manager, from 1 upwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a call is about: the handler as a whole, or one of its items.
///
/// Where the Windows contract passes `GUID_NULL` for "the handler itself" or "all items", this says `Handler`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The handler itself, or all of its items: `GUID_NULL`.
    Handler,
    /// One item.
    Item(ItemId),
}

/// Which entries of a run's error log: the argument of `DeleteLogError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorScope {
    /// Every entry of this run: `GUID_NULL` (R143).
    All,
    /// The entries with this id (R142).
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
    /// `LIBID_SyncObjects`: the type library, which nobody registers.
    pub const LIBID_SYNC_OBJECTS: Uuid = uuid!("6E586F48-379C-459C-9BEB-624A7E8316EB");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_gives_the_same_item_id_and_another_name_another() {
        assert_eq!(ItemId::from_name("inbox"), ItemId::from_bytes(b"inbox"));
        assert_ne!(ItemId::from_name("inbox"), ItemId::from_name("Inbox"));
    }

    #[test]
    fn two_accounts_of_one_handler_type_have_two_ids() {
        let mail = HandlerId::from_u128(7);
        assert_ne!(mail.instance("ann"), mail.instance("bob"));
        assert_eq!(mail.instance("ann"), mail.instance("ann"));
        assert_ne!(mail.instance("ann"), mail);
    }
}
