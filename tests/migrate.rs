//! A namespace moves from External Secrets Operator (ESO) to us and back, without one Secret changing or vanishing; and the whole
//! of `docs/migrating.md`, command by command.
//!
//! ESO itself does not run here. Its side is simulated: what its source says it writes is written, by its field managers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;
#[path = "migrate/helm.rs"]
mod helm;
#[path = "migrate/state.rs"]
mod state;
#[path = "migrate/takeover.rs"]
mod takeover;

use common::Result;
use common::doc::Doc;

/// A section that is added to the document needs a test that runs it.
#[test]
fn every_section_with_commands_has_its_test() -> Result {
    let mut tested = vec![
        // tests/migrate_check.rs, the patches also in helm.rs
        "1. Check",
        // takeover.rs
        "What is Stalled",
        // helm.rs
        "2. Keep the CRDs",
        "3. Take over",
        "Verify",
        "Back out",
        "4. Finish",
        "Back out after the finish",
        "Namespace by namespace",
        "A namespace back",
    ];
    tested.sort_unstable();
    assert_eq!(Doc::read()?.headings(), tested);
    Ok(())
}
