//! What a sync decides, without doing any of it: pure functions from specs and answers to a plan. No I/O, no clock but the
//! one that is passed in.
//!
//! ```text
//! spec ──► source ──► (the controller reads Vault) ──► collect ──► secret ──► plan ──► (the controller writes)
//!   └────► due                        select, rewrite, keys, decode             ▲
//!                                                        the target as it stands ┘
//! ```

pub mod brake;
pub mod collect;
pub mod conditions;
pub mod decode;
pub mod due;
pub mod hash;
pub mod keys;
mod path;
pub mod plan;
pub mod remote_key;
pub mod rewrite;
pub mod secret;
pub mod select;
pub mod source;
pub mod spec;
pub mod template;
pub mod windows;
