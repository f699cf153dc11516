//! Records the commit that the program is built from, for the run record.

use std::process::Command;

fn main() {
    // A commit changes the index; an edit, before it is staged, changes the sources.
    for path in ["../../.git/HEAD", "../../.git/index", "../../crates", "../../configs", "../../Cargo.lock"] {
        println!("cargo:rerun-if-changed={path}");
    }
    if let Some(commit) = git(&["rev-parse", "HEAD"]) {
        println!("cargo:rustc-env=CTRBENCH_COMMIT={commit}");
        if let Some(changes) = git(&["status", "--porcelain", "--untracked-files=no"]) {
            println!("cargo:rustc-env=CTRBENCH_DIRTY={}", !changes.is_empty());
        }
    }
}

/// What git prints; nothing where there is no git or no repository, as in a source archive.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
