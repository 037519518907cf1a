//! The life of a daemon's source: it follows the bus and the daemon on it, whatever happens to them.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use syncmgr_runtime::clock::Clock;
use tracing::{info, warn};
use zbus::names::{BusName, UniqueName};
use zbus::{Connection, MatchRule, Message, MessageStream, fdo, message};

use super::{Bus, Daemon, Interest, Service};
use crate::running::Publisher;

/// The name, path and interface of the bus itself.
const BUS_NAME: &str = "org.freedesktop.DBus";
const BUS_PATH: &str = "/org/freedesktop/DBus";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// Follows the daemon until the task ends.
pub(crate) async fn follow<S: Service>(service: S, bus: Bus, clock: Arc<dyn Clock>, publisher: Publisher) {
    let mut follower = Follower { service, clock, publisher, is_known: false };
    let mut wait = bus.first_wait();
    let mut is_lost = false;
    loop {
        let end = match bus.connect().await {
            Ok(connection) => follower.follow_on(&connection, &mut is_lost).await,
            Err(error) => End::Refused(error),
        };
        if let End::Lost = end {
            wait = bus.first_wait();
        }
        if !is_lost {
            warn!("{}: {end}; {} unknown until the bus is back", S::NAME, S::VALUES);
            is_lost = true;
        }
        follower.lost();
        tokio::time::sleep(wait).await;
        wait = bus.next_wait(wait);
    }
}

/// The end of a connection to the bus.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the message bus cannot be used: {0}")]
    Refused(#[from] zbus::Error),
    #[error("the message bus is lost")]
    Lost,
}

/// The owner of a bus name, if it has one.
type Owner = Option<UniqueName<'static>>;

/// Something that arrives from the bus.
enum Event {
    Owner(Owner),
    Signal(Message),
}

type Events = BoxStream<'static, Event>;

struct Follower<S> {
    service: S,
    clock: Arc<dyn Clock>,
    publisher: Publisher,
    /// `true` once the daemon has answered. Nothing is published before, because the source counts as ready then.
    is_known: bool,
}

impl<S: Service> Follower<S> {
    /// Follows the daemon on this connection until the connection ends.
    async fn follow_on(&mut self, connection: &Connection, is_lost: &mut bool) -> End {
        let mut owners = match owner_changes(connection, S::NAME).await {
            Ok(owners) => owners,
            Err(error) => return error.into(),
        };
        let mut owner = match owner_of(connection, S::NAME).await {
            Ok(owner) => owner,
            Err(error) => return error.into(),
        };
        if std::mem::take(is_lost) {
            info!("{}: the message bus is back", S::NAME);
        }
        loop {
            let next = match owner {
                Some(owner) => self.present(connection, owner, &mut owners).await,
                None => self.absent(&mut owners).await,
            };
            owner = match next {
                Ok(owner) => owner,
                Err(end) => return end,
            };
        }
    }

    /// Waits for a daemon.
    async fn absent(&mut self, owners: &mut Events) -> Result<Owner, End> {
        info!("{} is not running; {} unknown until it does", S::NAME, S::VALUES);
        self.lost();
        loop {
            if let Event::Owner(owner @ Some(_)) = owners.next().await.ok_or(End::Lost)? {
                return Ok(owner);
            }
        }
    }

    /// Follows a daemon until it loses its name. Returns the next owner of the name.
    async fn present(
        &mut self,
        connection: &Connection,
        owner: UniqueName<'static>,
        owners: &mut Events,
    ) -> Result<Owner, End> {
        self.service.lost();
        self.is_known = false;
        let signals = signals::<S>(connection, &owner).await?;
        let daemon = Daemon::new(connection, S::NAME, owner);
        let mut events = stream::select(owners, signals);
        loop {
            if let ControlFlow::Break(owner) = self.ask(&daemon, &mut events).await? {
                return Ok(owner);
            }
        }
    }

    /// Asks the daemon once, and waits until the answer is stale. Breaks with the next owner once the daemon loses its name.
    async fn ask(
        &mut self,
        daemon: &Daemon<'_>,
        events: &mut (impl Stream<Item = Event> + Unpin),
    ) -> Result<ControlFlow<Owner>, End> {
        let question = self.service.question();
        let mut answer = pin!(S::ask(daemon, question));
        let (mut is_answered, mut is_stale) = (false, false);
        // The signals are read even while the daemon answers, because zbus reads no answer while a queue is full.
        while !is_answered || !is_stale {
            tokio::select! {
                biased;
                answer = &mut answer, if !is_answered => {
                    is_answered = true;
                    is_stale |= daemon.was_late();
                    self.answered(answer);
                }
                event = events.next() => match event.ok_or(End::Lost)? {
                    Event::Owner(owner) => return Ok(ControlFlow::Break(owner)),
                    Event::Signal(signal) => {
                        is_stale = true;
                        self.signalled(&signal);
                    }
                },
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn answered(&mut self, answer: S::Answer) {
        self.service.answered(answer, self.clock.now().wall);
        self.is_known = true;
        self.publish();
    }

    fn signalled(&mut self, signal: &Message) {
        self.service.signalled(signal, self.clock.now().wall);
        if self.is_known {
            self.publish();
        }
    }

    fn lost(&mut self) {
        self.service.lost();
        self.publish();
    }

    fn publish(&self) {
        self.publisher.publish(self.service.environment());
    }
}

/// Returns the present owner of a name. This does not start the daemon.
async fn owner_of(connection: &Connection, name: &str) -> zbus::Result<Owner> {
    let reply = connection.call_method(Some(BUS_NAME), BUS_PATH, Some(BUS_NAME), "GetNameOwner", &name).await;
    match reply {
        Ok(reply) => Ok(Some(reply.body().deserialize::<UniqueName<'_>>()?.into_owned())),
        Err(zbus::Error::FDO(error)) if matches!(*error, fdo::Error::NameHasNoOwner(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn owner_changes(connection: &Connection, name: &'static str) -> zbus::Result<Events> {
    let rule = MatchRule::builder()
        .msg_type(message::Type::Signal)
        .sender(BUS_NAME)
        .interface(BUS_NAME)
        .member("NameOwnerChanged")
        .arg(0, name)
        .build()?;
    let changes = MessageStream::for_match_rule(rule, connection, None).await?;
    Ok(changes.filter_map(|message| async { new_owner(&message.ok()?).map(Event::Owner) }).boxed())
}

/// Returns the new owner of the name, or `None` for a message of another form.
fn new_owner(message: &Message) -> Option<Owner> {
    let body = message.body();
    let (_, _, new): (&str, &str, &str) = body.deserialize().ok()?;
    if new.is_empty() {
        return Some(None);
    }
    UniqueName::try_from(new).ok().map(|name| Some(name.into_owned()))
}

/// Returns the signals of this daemon that interest the source. Only the owner's own signals match, not those that other
/// programs send in its name.
async fn signals<S: Service>(connection: &Connection, owner: &UniqueName<'static>) -> zbus::Result<Events> {
    let mut signals = Vec::new();
    for interest in S::INTERESTS {
        let rule = MatchRule::builder().msg_type(message::Type::Signal).sender(BusName::from(owner.clone()));
        let rule = match interest {
            Interest::Object(path) => rule.path(*path),
            Interest::Below(path) => rule.path_namespace(*path),
        };
        let stream = MessageStream::for_match_rule(rule.build()?, connection, None).await?;
        let own = stream.filter_map(|message| async { message.ok().filter(is_own::<S>).map(Event::Signal) });
        signals.push(own.boxed());
    }
    Ok(stream::select_all(signals).boxed())
}

/// Returns `true` if the signal belongs to an interface of the daemon, or tells that a property has changed.
fn is_own<S: Service>(signal: &Message) -> bool {
    let header = signal.header();
    let interface = header.interface().map(|interface| interface.as_str());
    interface.is_some_and(|interface| interface == PROPERTIES || interface.starts_with(S::NAME))
}
