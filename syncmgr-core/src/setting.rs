//! Serde forms of the values in settings files.

use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};

/// A duration as people write it: `"3s"`, `"5 min"`, `"1h 30m"`.
pub(crate) mod duration {
    pub(crate) use jiff::fmt::serde::unsigned_duration::friendly::compact::required::{deserialize, serialize};
}

/// A duration as in [`duration`](super::duration) that is not zero.
pub(crate) mod positive_duration {
    use super::{Deserializer, Duration, Error};

    pub(crate) use super::duration::serialize;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let duration = super::duration::deserialize(deserializer)?;
        match duration.is_zero() {
            true => Err(D::Error::custom("the duration must be more than zero; leave it out for the default")),
            false => Ok(duration),
        }
    }
}

/// Reads a number that is not zero.
pub(crate) fn positive<'de, D, N>(deserializer: D) -> Result<N, D::Error>
where
    D: Deserializer<'de>,
    N: Deserialize<'de> + Default + PartialEq,
{
    let number = N::deserialize(deserializer)?;
    match number == N::default() {
        true => Err(D::Error::custom("the number must be at least 1; leave it out for the default")),
        false => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde::de::DeserializeOwned;

    use crate::decision::guard::{GuardPolicy, UnattendedPolicy};
    use crate::info::{Limits, StallPolicy};
    use crate::retry::RetryPolicy;

    const SECOND: Duration = Duration::from_secs(1);

    fn refusal<T: DeserializeOwned + std::fmt::Debug>(text: &str) -> String {
        toml::from_str::<T>(text).expect_err(text).to_string()
    }

    #[test]
    fn a_policy_is_read_as_people_write_it_and_the_rest_has_its_default() {
        let retry: RetryPolicy = toml::from_str("initial = \"3s\"\ncap = \"5 min\"\nbudget = 4").unwrap();
        let wanted = RetryPolicy { budget: 4, ..RetryPolicy::DEFAULT.with_initial(3 * SECOND).with_cap(300 * SECOND) };
        assert_eq!(retry, wanted);
        let text = "items = 2\nlist = \"1h 30m\"\nsoft_grace = \"250ms\"\nwhen_stalled = \"report\"";
        let limits: Limits = toml::from_str(text).unwrap();
        let wanted = Limits::DEFAULT.with_items(2).with_items_deadline(5400 * SECOND);
        let wanted = wanted.with_soft_grace(SECOND / 4).with_stall_policy(StallPolicy::Report);
        assert_eq!(limits, wanted);
        let guards: GuardPolicy = toml::from_str("share = 80\nunattended = \"allow\"").unwrap();
        let wanted = GuardPolicy { share: 80, ..GuardPolicy::DEFAULT };
        assert_eq!(guards, wanted.with_unattended(UnattendedPolicy::Allow));
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(toml::from_str::<RetryPolicy>("").unwrap(), RetryPolicy::DEFAULT);
        assert_eq!(toml::from_str::<Limits>("").unwrap(), Limits::DEFAULT);
        assert_eq!(toml::from_str::<GuardPolicy>("").unwrap(), GuardPolicy::DEFAULT);
    }

    #[test]
    fn settings_are_written_as_people_write_them_and_read_back() {
        let retry = toml::to_string(&RetryPolicy::DEFAULT.with_initial(90 * SECOND)).unwrap();
        assert!(retry.contains("initial = \"1m 30s\"") && retry.contains("cap = \"1h\""), "{retry}");
        assert_eq!(toml::from_str::<RetryPolicy>(&retry).unwrap().initial, 90 * SECOND);
        let limits = Limits::DEFAULT.with_hard_grace(7 * SECOND);
        assert_eq!(toml::from_str::<Limits>(&toml::to_string(&limits).unwrap()).unwrap(), limits);
        let guards = GuardPolicy::DEFAULT.with_deletions(3, 4);
        assert_eq!(toml::from_str::<GuardPolicy>(&toml::to_string(&guards).unwrap()).unwrap(), guards);
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_name() {
        assert!(refusal::<RetryPolicy>("first = \"3s\"").contains("unknown field `first`"));
        assert!(refusal::<Limits>("listing = \"3s\"").contains("unknown field `listing`"));
        assert!(refusal::<GuardPolicy>("deletions = 3").contains("unknown field `deletions`"));
    }

    #[test]
    fn a_bad_value_is_refused_with_its_line_and_the_reason() {
        let zero = refusal::<Limits>("items = 3\nprepare = \"0s\"");
        assert!(zero.contains("prepare = ") && zero.contains("must be more than zero"), "{zero}");
        assert!(refusal::<Limits>("items = 0").contains("must be at least 1"));
        assert!(refusal::<RetryPolicy>("initial = \"0s\"").contains("must be more than zero"));
        assert!(refusal::<RetryPolicy>("budget = 0").contains("must be at least 1"));
        let unit = refusal::<RetryPolicy>("initial = \"3 parsecs\"");
        assert!(unit.contains("initial = ") && unit.contains("parsecs"), "{unit}");
        assert!(refusal::<RetryPolicy>("cap = 3").contains("integer `3`"));
        assert!(refusal::<GuardPolicy>("unattended = \"maybe\"").contains("`refuse` or `allow`"));
    }
}
