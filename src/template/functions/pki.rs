//! Keys and certificates: stub until the pki module lands.
use super::Function;
pub(super) static FUNCTIONS: &[Function] = &[];
