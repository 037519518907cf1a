//! `#[sync_handler]` on valid handlers: they compile without warnings and have the declared values.

mod aliases_in_signatures;
mod claims_of_one_account;
mod documented_and_attributed;
mod every_method;
mod everything_declared;
mod facade_under_another_path;
mod generic_handler;
mod handlers_made_by_a_macro;
mod inside_a_function;
mod migrations;
mod smallest;
mod two_accounts_of_one_type;
