//! A running daemon and its properties.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tracing::{debug, warn};
use zbus::names::UniqueName;
use zbus::{Connection, DynamicType, Message, OwnedVariant, Variant, fdo};

/// A running daemon. Calls go to its unique name, so that they neither start the daemon nor reach its successor.
pub(crate) struct Daemon<'a> {
    connection: &'a Connection,
    service: &'static str,
    name: UniqueName<'static>,
    /// What has been reported about this daemon, so that each oddity is reported once.
    reported: Mutex<BTreeSet<String>>,
    /// `true` once the daemon did not answer in time.
    is_late: AtomicBool,
}

/// An interface of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object<'a> {
    pub(crate) path: &'a str,
    pub(crate) interface: &'a str,
}

impl<'a> Daemon<'a> {
    pub(super) fn new(connection: &'a Connection, service: &'static str, name: UniqueName<'static>) -> Self {
        Self { connection, service, name, reported: Mutex::default(), is_late: AtomicBool::new(false) }
    }

    /// Calls a method.
    ///
    /// # Errors
    ///
    /// If the daemon or the bus returns an error, or does not answer in time.
    pub(crate) async fn call<B>(&self, object: Object<'_>, method: &str, body: &B) -> zbus::Result<Message>
    where
        B: serde::Serialize + DynamicType + Sync,
    {
        let (path, interface) = (object.path, Some(object.interface));
        let reply = self.connection.call_method(Some(&self.name), path, interface, method, body).await;
        if reply.as_ref().is_err_and(is_timeout) {
            self.is_late.store(true, Ordering::Relaxed);
        }
        reply
    }

    /// Returns `true` if the daemon did not answer in time since this was asked for the last time.
    pub(super) fn was_late(&self) -> bool {
        self.is_late.swap(false, Ordering::Relaxed)
    }

    /// Reads a property without a cache. `None` if the daemon does not have it, or if its value makes no sense to
    /// `convert`, which is logged once.
    pub(crate) async fn read<T, U>(&self, object: Object<'_>, name: &str, convert: fn(T) -> Option<U>) -> Option<U>
    where
        T: TryFrom<OwnedVariant> + Send,
    {
        let value = match self.get(object, name).await {
            Ok(value) => value,
            Err(error) => {
                self.refused(object, name, &error);
                return None;
            }
        };
        let shown = format!("{:?}", *value);
        let converted = T::try_from(value).ok().and_then(convert);
        if converted.is_none() {
            self.report(format!("{}.{name} is {shown}, which makes no sense; it counts as unknown", object.interface));
        }
        converted
    }

    async fn get(&self, object: Object<'_>, name: &str) -> zbus::Result<OwnedVariant> {
        let properties = Object { interface: "org.freedesktop.DBus.Properties", ..object };
        let reply = self.call(properties, "Get", &(object.interface, name)).await?;
        let body = reply.body();
        let value: Variant<'_> = body.deserialize()?;
        value.try_into_owned()
    }

    fn refused(&self, object: Object<'_>, name: &str, error: &zbus::Error) {
        if is_missing(error) {
            debug!(service = self.service, "{}.{name} does not exist: {error}", object.interface);
        } else {
            self.report(format!("{}.{name} cannot be read: {error}", object.interface));
        }
    }

    /// Logs this once.
    pub(crate) fn report(&self, oddity: String) {
        // A panic in `insert` leaves a valid set.
        let is_new = self.reported.lock().unwrap_or_else(PoisonError::into_inner).insert(oddity.clone());
        if is_new {
            warn!(service = self.service, "{}: {oddity}", self.service);
        }
    }
}

impl fmt::Debug for Daemon<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Daemon").field("service", &self.service).field("name", &self.name).finish_non_exhaustive()
    }
}

/// Returns `true` if the daemon does not know the property, for example because it is older, or if the object or the daemon
/// has just gone.
fn is_missing(error: &zbus::Error) -> bool {
    match error {
        zbus::Error::FDO(error) => matches!(
            **error,
            fdo::Error::UnknownProperty(_)
                | fdo::Error::UnknownObject(_)
                | fdo::Error::UnknownInterface(_)
                | fdo::Error::UnknownMethod(_)
                | fdo::Error::InvalidArgs(_)
                | fdo::Error::ServiceUnknown(_)
                | fdo::Error::NameHasNoOwner(_)
                | fdo::Error::NoReply(_)
                | fdo::Error::Disconnected(_)
        ),
        zbus::Error::MethodError(name, ..) => name.ends_with(".UnknownProperty"),
        zbus::Error::InputOutput(_) => !is_timeout(error),
        _ => false,
    }
}

pub(crate) fn is_timeout(error: &zbus::Error) -> bool {
    matches!(error, zbus::Error::InputOutput(error) if error.kind() == std::io::ErrorKind::TimedOut)
}
