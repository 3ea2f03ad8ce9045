//! What came of an inventory.

use zephyrfs_proto::coordinator as wire;

use super::super::status::FromAnswer;
use crate::api::saturate::to_i64;
use crate::service::InventoryTaken;

impl FromAnswer<InventoryTaken> for wire::ReportInventoryResponse {
    fn done(taken: InventoryTaken) -> Self {
        let message = match taken.left_out {
            0 => "inventory taken".to_owned(),
            left_out => format!(
                "inventory taken; {left_out} more chunks that nobody knows were left out, and are for the next inventory"
            ),
        };
        Self {
            success: true,
            message,
            chunks: to_i64(taken.chunks),
            found: to_i64(taken.found),
            missing: to_i64(taken.missing),
            quarantined: to_i64(taken.quarantined),
        }
    }

    fn refused(message: String) -> Option<Self> {
        Some(Self {
            message,
            ..Self::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{FromAnswer as _, InventoryTaken, wire};

    #[test]
    fn what_was_left_out_is_told() {
        let message = |left_out| {
            let taken = InventoryTaken {
                left_out,
                ..InventoryTaken::default()
            };
            wire::ReportInventoryResponse::done(taken).message
        };
        assert_eq!(message(0), "inventory taken");
        assert_eq!(
            message(7),
            "inventory taken; 7 more chunks that nobody knows were left out, and are for the next inventory"
        );
    }
}
