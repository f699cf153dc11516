//! What fine-tuning did to each user, kept in memory until the run ends and written to Parquet as it grows.

use crate::ReportError;

/// The rows of all users, grouped by the cell that made them.
#[derive(Debug, Clone, PartialEq)]
pub struct UserRows {
    user_keys: Vec<String>,
    global_ctr: f64,
    blocks: Vec<UserBlock>,
}

/// The users of one model, seed, protocol and method.
#[derive(Debug, Clone, PartialEq)]
pub struct UserBlock {
    /// Name of the model.
    pub model: String,
    /// `natural` or `planted-drift`.
    pub protocol: String,
    /// Name of the method.
    pub method: String,
    /// Seed of the cloud model and of the fine-tuning.
    pub seed: u64,
    /// One row per user evaluated, in the order in which they shall be written.
    pub rows: Vec<UserRow>,
}

/// One user before and after fine-tuning, on the user's samples of the judged part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UserRow {
    /// Index of the user among the keys given to [`UserRows::new`].
    pub user: u32,
    /// Samples fine-tuned on.
    pub local_samples: u32,
    /// Samples evaluated.
    pub judged_samples: u32,
    /// Label rate of the samples fine-tuned on, as observed.
    pub local_ctr: f64,
    /// The CTR that the local set was resampled to, under planted drift.
    pub target_ctr: Option<f64>,
    /// AUC of the cloud model.
    pub auc_cloud: f64,
    /// AUC after fine-tuning.
    pub auc: f64,
    /// Log loss of the cloud model, nats.
    pub logloss_cloud: f64,
    /// Log loss after fine-tuning, nats.
    pub logloss: f64,
    /// This user's share of the time of fine-tuning. Not part of `users.parquet`, which repeats byte for byte.
    pub seconds: f64,
}

impl UserRows {
    /// No rows yet. `user_keys` are the data set's own user keys, by index; `global_ctr` is the label rate of the whole
    /// training part.
    pub fn new(user_keys: Vec<String>, global_ctr: f64) -> Self {
        Self { user_keys, global_ctr, blocks: Vec::new() }
    }

    /// Adds the users of one cell.
    ///
    /// # Errors
    /// [`ReportError::UserIndex`] if a row's user has no key; nothing is added then.
    pub fn push(&mut self, block: UserBlock) -> Result<(), ReportError> {
        if let Some(row) = block.rows.iter().find(|row| row.user as usize >= self.user_keys.len()) {
            return Err(ReportError::UserIndex { user: row.user, users: self.user_keys.len() });
        }
        self.blocks.push(block);
        Ok(())
    }

    /// The cells' rows in the order in which they were added.
    pub fn blocks(&self) -> &[UserBlock] {
        &self.blocks
    }

    /// Label rate of the whole training part.
    pub fn global_ctr(&self) -> f64 {
        self.global_ctr
    }

    /// CTR drift of a row's local set: its local CTR minus the global CTR.
    pub fn drift(&self, row: &UserRow) -> f64 {
        row.local_ctr - self.global_ctr
    }

    /// The data set's own key of a row's user.
    pub fn key(&self, row: &UserRow) -> &str {
        &self.user_keys[row.user as usize]
    }
}
