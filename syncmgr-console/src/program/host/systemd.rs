//! What the host tells systemd, if that has started it.

use sd_notify::NotifyState;

/// The host serves, or has read its settings again.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The host reads its settings.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "systemd is not told about the reload: there is no monotonic clock"),
    }
}

/// The host ends.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Tells systemd that the host is alive, twice in each of the periods that it asks for. Does not return.
pub(super) async fn stay_alive() {
    let Some(period) = sd_notify::watchdog_enabled().filter(|period| !period.is_zero()) else {
        return std::future::pending().await;
    };
    let mut beats = tokio::time::interval(period / 2);
    loop {
        beats.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd cannot be told about the state of the host");
    }
}
