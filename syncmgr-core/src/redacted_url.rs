//! URLs of web pages without secrets, safe to store and to open.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::text::{Escaped, MAX_NAME};

/// A redacted `http` or `https` URL. It has no user info, query or fragment, since these may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Arc<str>", into = "Arc<str>")]
pub struct RedactedUrl(Arc<str>);

impl RedactedUrl {
    /// Parses a URL and drops the parts that may hold secrets.
    ///
    /// ```
    /// # use syncmgr_core::redacted_url::RedactedUrl;
    /// let page = RedactedUrl::new("https://ann:secret@example.org/help?token=1")?;
    /// assert_eq!(page.address(), "https://example.org/help");
    /// assert!(RedactedUrl::new("file:///etc/passwd").is_err());
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails if the scheme is not `http` or `https`, if the host is missing, if there are control characters, spaces or
    /// backslashes, or if the URL is longer than [`MAX_NAME`].
    pub fn new(address: &str) -> Result<Self, RedactedUrlError> {
        let refused = || RedactedUrlError { address: crate::text::bounded(address, 64).into_owned() };
        let (scheme, rest) = address.split_once("://").ok_or_else(refused)?;
        let scheme = scheme.to_ascii_lowercase();
        let malformed =
            address.len() > MAX_NAME || address.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\');
        if malformed || !matches!(&*scheme, "http" | "https") {
            return Err(refused());
        }
        let plain = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = plain.split_at(plain.find('/').unwrap_or(plain.len()));
        let host = authority.rsplit('@').next().unwrap_or_default();
        match host.is_empty() {
            true => Err(refused()),
            false => Ok(Self(format!("{scheme}://{host}{path}").into())),
        }
    }

    /// Returns the URL.
    pub fn address(&self) -> &str {
        &self.0
    }
}

impl TryFrom<Arc<str>> for RedactedUrl {
    type Error = RedactedUrlError;

    fn try_from(address: Arc<str>) -> Result<Self, RedactedUrlError> {
        Self::new(&address)
    }
}

impl From<RedactedUrl> for Arc<str> {
    fn from(page: RedactedUrl) -> Self {
        page.0
    }
}

impl fmt::Display for RedactedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(&self.0).fmt(f)
    }
}

/// The error of parsing text that is not an acceptable `http` or `https` URL. This is a bug in the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not an http or https URL without spaces", Escaped(.address))]
pub struct RedactedUrlError {
    address: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_address_that_may_be_secret_are_dropped() {
        let page = |address| RedactedUrl::new(address).map(|page| page.address().to_string());
        assert_eq!(page("https://ann:pw@example.org:8/a/b?token=1#x"), Ok("https://example.org:8/a/b".to_string()));
        assert_eq!(page("HTTP://example.org"), Ok("http://example.org".to_string()));
        assert_eq!(page("https://example.org?x=/y@z"), Ok("https://example.org".to_string()));
    }

    #[test]
    fn only_http_and_https_addresses_are_accepted() {
        for address in
            ["file:///etc/passwd", "javascript:alert(1)", "https://", "https://a b", "ftp://x", "x", "http://\n"]
        {
            assert!(RedactedUrl::new(address).is_err(), "{address}");
            assert!(serde_json::from_value::<RedactedUrl>(address.into()).is_err(), "{address}");
        }
    }
}
