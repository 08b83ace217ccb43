//! Links the operator so that less of it is read, and so resident, at its start.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |variable: &str, value: &str| std::env::var(variable).is_ok_and(|is| is == value);
    // Half a megabyte of relocations becomes a few kB. Linkers that don't know the option pass over it.
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") && is("PROFILE", "release") {
        println!("cargo:rustc-link-arg-bin=external-secrets=-Wl,-z,pack-relative-relocs");
    }
}
