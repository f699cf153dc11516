//! Settings that no model can be built with.

use crate::small_case::small_input;
use ctr_nn::ModelConfig;

/// The settings are refused with exactly this message.
///
/// # Panics
/// If they are not.
pub fn refuses<C: ModelConfig>(config: &C, message: &str) {
    match config.build(&small_input()) {
        Ok(_) => panic!("accepted, instead of: {message}"),
        Err(error) => assert_eq!(error, message),
    }
}
