//! A batch as one transaction: load what it depends on, decide, store what it changed.

use super::{
    load::{load, loaded},
    store::{Rewritten, store},
    transaction::Writer,
};
use crate::store::{Committed, Refusal, StoreError, Write};

impl Writer {
    /// Carries out a batch of writes in one transaction.
    pub(super) async fn commit(
        &self,
        writes: &[Write],
    ) -> Result<Vec<Result<Committed, Refusal>>, StoreError> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let (transaction, found) = self.begin(load(writes)).await?;
        let mut loaded = loaded(&found)?;
        let rewritten = Rewritten::by(writes, &loaded);
        let results: Vec<_> = writes.iter().map(|write| loaded.apply(write)).collect();
        store(transaction, writes, &loaded, &results, &rewritten).await?;
        Ok(results)
    }
}
