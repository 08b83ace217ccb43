//! What a sync decides, without doing any of it: pure functions from specs and answers to a plan. No I/O, no clock but the
//! one that is passed in.
//!
//! ```text
//! spec ──► wanted ──► (the controller reads Vault) ──► select ──► secret ──► plan ──► (the controller writes)
//!   └────► due                                                        ▲
//!                                            the target as it stands ─┘
//! ```

pub mod conditions;
pub mod due;
pub mod hash;
pub mod plan;
pub mod remote_key;
pub mod secret;
pub mod select;
pub mod spec;
pub mod wanted;
