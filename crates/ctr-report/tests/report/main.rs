//! What a made-up run leaves behind.

mod made_up;
mod run_folder;
mod tables;
mod users_parquet;
