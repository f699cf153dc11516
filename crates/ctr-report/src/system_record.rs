//! The machine that made a run.

use serde::{Deserialize, Serialize};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use crate::nvidia;

/// What of a machine bears on speed. The host name is left out on purpose: records are published.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SystemRecord {
    /// Operating system and version.
    pub os: String,
    /// Kernel version.
    pub kernel: String,
    /// Model of the first processor.
    pub cpu_model: String,
    /// Cores without hyper-threads.
    pub physical_cores: u64,
    /// Cores as the operating system schedules them.
    pub logical_cores: u64,
    /// Memory of the machine, bytes.
    pub memory_bytes: u64,
    /// Model of the GPU, if there is one; several kinds joined by "or".
    pub gpu: Option<String>,
    /// Version of its driver.
    pub driver: Option<String>,
}

impl SystemRecord {
    /// Asks the operating system, and `nvidia-smi` for a GPU. What cannot be found out is `unknown` or 0.
    pub fn collect() -> Self {
        let what = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(what).ok();
        let system = system.as_ref();
        let known = |text: Option<String>| {
            text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".into())
        };
        let (gpu, driver) = nvidia::gpus().unzip();
        Self {
            os: known(System::long_os_version().ok()),
            kernel: known(System::kernel_version().ok()),
            cpu_model: known(system.and_then(|system| system.cpus().first()).map(|cpu| cpu.brand().to_owned())),
            physical_cores: System::physical_core_count().unwrap_or(0) as u64,
            logical_cores: system.map_or(0, |system| system.cpus().len() as u64),
            memory_bytes: system.map_or(0, System::total_memory),
            gpu,
            driver,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_that_runs_this_test_is_described() {
        let system = SystemRecord::collect();
        let threads = std::thread::available_parallelism().expect("known").get() as u64;
        assert!(system.logical_cores >= threads, "{system:?}");
        assert!(system.memory_bytes > 100 << 20, "{system:?}");
        assert!(!system.os.is_empty() && !system.cpu_model.is_empty(), "{system:?}");
    }
}
