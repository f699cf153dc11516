//! The first NVIDIA GPU, as `nvidia-smi` names it.

use std::process::Command;

/// Model and driver version, or `None` without a GPU or its driver's tool.
pub(crate) fn first_gpu() -> Option<(String, String)> {
    let output =
        Command::new("nvidia-smi").args(["--query-gpu=name,driver_version", "--format=csv,noheader"]).output().ok()?;
    if !output.status.success() {
        return None;
    }
    parse(&String::from_utf8(output.stdout).ok()?)
}

fn parse(listing: &str) -> Option<(String, String)> {
    let (model, driver) = listing.lines().next()?.rsplit_once(',')?;
    Some((model.trim().to_owned(), driver.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_several_gpus_is_read() {
        let listing = "NVIDIA H200, 570.86.15\nNVIDIA H200, 570.86.15\n";
        assert_eq!(parse(listing), Some(("NVIDIA H200".into(), "570.86.15".into())));
        assert_eq!(parse(""), None);
    }
}
