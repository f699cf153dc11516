//! The NVIDIA GPUs, as `nvidia-smi` names them.

use std::{collections::BTreeSet, process::Command};

/// Model (of several kinds all, since `nvidia-smi` numbers GPUs otherwise than CUDA does) and driver version, or `None` without a GPU or its driver's tool.
pub(crate) fn gpus() -> Option<(String, String)> {
    let output =
        Command::new("nvidia-smi").args(["--query-gpu=name,driver_version", "--format=csv,noheader"]).output().ok()?;
    if !output.status.success() {
        return None;
    }
    parse(&String::from_utf8(output.stdout).ok()?)
}

fn parse(listing: &str) -> Option<(String, String)> {
    let rows: Vec<(&str, &str)> = listing.lines().filter_map(|line| line.rsplit_once(',')).collect();
    let models: BTreeSet<&str> = rows.iter().map(|(model, _)| model.trim()).collect();
    let (_, driver) = rows.first()?;
    Some((models.into_iter().collect::<Vec<_>>().join(" or "), driver.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_is_named_once() {
        let listing = "NVIDIA H200, 570.86.15\nNVIDIA H200, 570.86.15\n";
        assert_eq!(parse(listing), Some(("NVIDIA H200".into(), "570.86.15".into())));
        let several = "NVIDIA RTX A6000, 570.86.15\nNVIDIA H200, 570.86.15\n";
        assert_eq!(parse(several), Some(("NVIDIA H200 or NVIDIA RTX A6000".into(), "570.86.15".into())));
        assert_eq!(parse(""), None);
    }
}
