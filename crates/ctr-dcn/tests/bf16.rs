//! Dense layers whose products round their factors, in a program of its own, since the precision is the whole process's.
//! Expected values: `python crates/ctr-dcn/tests/golden.py` (torch 2.15.0).

use candle_core::Result;
use ctr_dcn::{Cross, DcnConfig};
use ctr_model_tests::{equals_pytorch, small_input};
use ctr_nn::{Context, DeviceChoice, MatmulPrecision, MlpConfig, ModelConfig};

#[test]
fn matrix_cross_and_layers() -> Result<()> {
    MatmulPrecision::Bf16.set(DeviceChoice::Cpu).expect("a precision that the CPU has");
    let mlp = MlpConfig { hidden_units: vec![6, 5], ..MlpConfig::default() };
    let config = DcnConfig { embedding_dim: 4, cross: Cross::Matrix, mlp, ..DcnConfig::default() };
    let model = config.build(&small_input()).expect("valid settings");
    equals_pytorch(&*model, include_str!("golden.json"), "matrix, bf16", Context::inference())
}
