//! The rules of schedules; each is a sentence in `SCHEDULES.md`.
