//! What every model is tested for, as functions that panic: the models' own tests call them.

mod fits_64_rows;
mod golden;
mod gradients;
mod refuses;
mod replicas;
mod round_trip;
mod small_case;

pub use fits_64_rows::fits_64_rows;
pub use golden::equals_pytorch;
pub use refuses::refuses;
pub use replicas::replicas_are_independent;
pub use round_trip::round_trips_bit_exactly;
pub use small_case::small_input;
