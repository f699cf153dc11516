//! The program that made a run.

use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// Version and build of the program.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CodeRecord {
    /// Version of the package.
    pub version: String,
    /// Commit hash of the source, where known.
    pub commit: Option<String>,
    /// Whether the source differed from that commit, where known.
    pub dirty: Option<bool>,
    /// Cargo features compiled in, such as `cuda`.
    pub cargo_features: Vec<String>,
    /// Cargo profile, such as `release`.
    pub profile: String,
}

impl CodeRecord {
    /// Fills `commit` and `dirty` by asking `git` about the work tree that holds `folder`. They stay as they are where
    /// there is no git or no repository.
    pub fn with_git(mut self, folder: &Path) -> Self {
        if let Some(commit) = git(folder, &["rev-parse", "HEAD"]) {
            self.commit = Some(commit);
            self.dirty =
                git(folder, &["status", "--porcelain", "--untracked-files=no"]).map(|changes| !changes.is_empty());
        }
        self
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_outside_any_repository_has_no_commit() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(CodeRecord::default().with_git(folder.path()), CodeRecord::default());
    }

    #[test]
    fn a_changed_file_makes_the_tree_dirty() {
        let folder = tempfile::tempdir().expect("a folder");
        if git(folder.path(), &["--version"]).is_none() {
            eprintln!("skipped: there is no git");
            return;
        }
        let file = folder.path().join("file");
        std::fs::write(&file, "one").expect("writable");
        let author = ["-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "commit.gpgsign=false"];
        git(folder.path(), &["init", "-q"]).expect("init");
        git(folder.path(), &["add", "file"]).expect("add");
        git(folder.path(), &[&author[..], &["commit", "-q", "-m", "first"]].concat()).expect("commit");
        let clean = CodeRecord::default().with_git(folder.path());
        assert_eq!(clean.commit.map(|commit| commit.len()), Some(40));
        assert_eq!(clean.dirty, Some(false));
        std::fs::write(&file, "two").expect("writable");
        assert_eq!(CodeRecord::default().with_git(folder.path()).dirty, Some(true));
    }
}
