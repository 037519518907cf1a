//! The question about a guard violation, and the plan decision that an answer permits.

use std::collections::BTreeSet;

use serde::Serialize;
use uuid::Uuid;

use super::{GuardPolicy, GuardViolation, UnattendedPolicy};
use crate::log::{Question, Remedy};
use crate::plan::{Plan, PlanError, PlanRemedy, Side};
use crate::text::Escaped;
use crate::time;

/// The key of all guard questions.
pub const KEY: &str = "guard";

/// Returns the question to the user about a violation in `plan`.
///
/// The question offers to allow and to refuse the plan, and the remedies that the handler offers. Its digest covers the
/// violation, the deletions, the existing entries, the offered remedies, and for each side its name, its identity, and whether it
/// is empty. An answer is valid for every plan with the same digest, so the text mentions only these.
///
/// ```
/// # use syncmgr_core::{decision::guard::{GuardPolicy, GuardViolation, decision, question}, plan::Plan};
/// let violation = GuardViolation::TooManyDeletions { deletes: 800, existing: 900 };
/// let question = question(&violation, &Plan::new().with_deletes(800, 900));
/// assert_eq!(&*question.text, "800 of 900 entries would be deleted. Continue?");
/// let allowed = decision(&violation, &question, Some(0), &GuardPolicy::DEFAULT);
/// assert_eq!(allowed, Ok(()));
/// ```
pub fn question(violation: &GuardViolation, plan: &Plan) -> Question {
    let remedies = [Remedy::Allow].into_iter().chain(alternatives(violation, plan)).chain([Remedy::Refuse]);
    Question::of_host(KEY, &text(violation, plan), remedies, digest(violation, plan))
}

/// Returns the remedies of the handler that resolve this violation.
fn alternatives(violation: &GuardViolation, plan: &Plan) -> Vec<Remedy> {
    let sides = || plan.sides.iter().map(|side| Remedy::ChooseSide(side.name.clone())).collect();
    let offers = |remedy| plan.remedies.contains(&remedy);
    match violation {
        GuardViolation::TooManyDeletions { .. } if offers(PlanRemedy::Revert) => vec![Remedy::Revert],
        GuardViolation::SideEmpty { .. } | GuardViolation::PeerChanged { .. } if offers(PlanRemedy::ChooseSide) => {
            sides()
        }
        _ => Vec::new(),
    }
}

/// Returns the text of the question. The text always names the deletions, because an answer that allows the plan allows them
/// too. If a peer has changed, the text also names the empty sides.
fn text(violation: &GuardViolation, plan: &Plan) -> String {
    let deleted = match (violation, plan.deletes) {
        (GuardViolation::TooManyDeletions { .. }, _) => String::new(),
        (_, 0) => " Nothing would be deleted.".into(),
        (_, deletes) => format!(" {deletes} of {} entries would be deleted.", plan.existing),
    };
    let changed = matches!(violation, GuardViolation::PeerChanged { .. });
    let empty = plan.sides.iter().filter(|side| changed && side.entries == 0);
    let empty: String = empty.map(|side| format!(" {} is empty.", Escaped(&side.name))).collect();
    format!("{violation}.{empty}{deleted} Continue?")
}

/// Returns the decision for a plan. The remedy of the answer decides; a remedy that no guard offers holds the plan. Without an
/// answer, the policy decides.
pub fn decision(
    violation: &GuardViolation,
    question: &Question,
    answer: Option<usize>,
    policy: &GuardPolicy,
) -> Result<(), PlanError> {
    match (answer, policy.unattended) {
        (Some(answer), _) => match question.remedies.get(answer) {
            Some(Remedy::Allow) => Ok(()),
            Some(Remedy::Revert) => Err(PlanError::Revert),
            Some(Remedy::ChooseSide(side)) => Err(PlanError::Side(side.clone())),
            _ => Err(PlanError::Held(violation.clone())),
        },
        (None, UnattendedPolicy::Refuse) => Err(PlanError::Held(violation.clone())),
        (None, UnattendedPolicy::Allow) => Ok(()),
    }
}

/// The hashed content of a digest. Stored answers contain the digest, so the host asks all questions again if this JSON changes.
#[derive(Serialize)]
struct DigestContent<'a> {
    #[serde(rename = "objection")]
    violation: (&'static str, Option<&'a str>, u64, u64),
    deletes: u64,
    existing: u64,
    sides: Vec<(&'a str, Option<&'a str>, Contents)>,
    /// Skipped if empty, so that answers to plans without remedies stay valid.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    remedies: &'a BTreeSet<PlanRemedy>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Contents {
    Nothing,
    Something,
}

/// Returns the digest, which is the same in every process and version. The order of the sides matters, because the choices have
/// the same order.
fn digest(violation: &GuardViolation, plan: &Plan) -> u64 {
    /// The namespace of digests.
    const DIGEST_NAMESPACE: Uuid = Uuid::from_u128(0x9d1c_5c50_3f0e_5b5a_8e0b_6f3d_57a1_44c9);
    let contents = |side: &Side| if side.entries == 0 { Contents::Nothing } else { Contents::Something };
    let sides = plan.sides.iter().map(|side| (&*side.name, side.identity.as_deref(), contents(side))).collect();
    let Plan { deletes, existing, ref remedies, .. } = *plan;
    let content = DigestContent { violation: parts(violation), deletes, existing, sides, remedies };
    let json = serde_json::to_vec(&content).expect("texts and numbers are always JSON");
    let (high, low) = Uuid::new_v5(&DIGEST_NAMESPACE, &json).as_u64_pair();
    high ^ low
}

/// The hashed parts of a violation: its kind, its side, and its numbers. Times are in whole milliseconds, as in every store.
fn parts(violation: &GuardViolation) -> (&'static str, Option<&str>, u64, u64) {
    match violation {
        GuardViolation::PeerChanged { side } => ("peer_changed", Some(side), 0, 0),
        GuardViolation::SideEmpty { side, before } => ("side_empty", Some(side), *before, 0),
        GuardViolation::TooManyDeletions { deletes, existing } => ("too_many_deletions", None, *deletes, *existing),
        GuardViolation::ClockWentBack { last } => ("clock_went_back", None, time::to_millis(*last).cast_unsigned(), 0),
    }
}
