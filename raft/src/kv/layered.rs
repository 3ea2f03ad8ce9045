//! The layers together: what is true now, wherever it is kept.

use std::iter::Peekable;
use std::ops::Bound;
use std::sync::Arc;

use super::base::{Base, Pair};
use super::layer::{Layer, Table};
use crate::error::StoreError;

/// Puts into a layer, before it is frozen, what its commit must be stamped with.
pub(crate) trait Stamp {
    /// Writes the stamp.
    fn stamp(&self, layer: &mut Layer) -> Result<(), StoreError>;
}

impl<A: Stamp, B: Stamp> Stamp for (&A, &B) {
    fn stamp(&self, layer: &mut Layer) -> Result<(), StoreError> {
        self.0.stamp(layer)?;
        self.1.stamp(layer)
    }
}

/// The active layer, the frozen one while it is being written, and what is on disk.
pub(crate) struct Layered {
    active: Layer,
    frozen: Option<Arc<Layer>>,
    base: Arc<Base>,
}

impl Layered {
    /// Nothing in memory over what is on disk.
    pub(crate) fn over(base: Arc<Base>) -> Self {
        Self {
            active: Layer::default(),
            frozen: None,
            base,
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Arc<[u8]>>, StoreError> {
        for layer in [Some(&self.active), self.frozen.as_deref()].into_iter().flatten() {
            if let Some(value) = layer.table(table).get(key) {
                return Ok(value.clone());
            }
        }
        self.base.get(table, key)
    }

    /// Writes a value.
    pub(crate) fn put(&mut self, table: Table, key: &[u8], value: impl Into<Arc<[u8]>>) {
        self.active.set(table, key, Some(value.into()));
    }

    /// Deletes a value.
    pub(crate) fn delete(&mut self, table: Table, key: &[u8]) {
        self.active.set(table, key, None);
    }

    /// The pairs in a range of keys, ascending.
    pub(crate) fn range<'a>(
        &'a self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
    ) -> Result<impl Iterator<Item = Result<Pair, StoreError>> + use<'a>, StoreError> {
        let base = self
            .base
            .range(table, range)?
            .map(|pair| pair.map(|(key, value)| (key, Some(value))));
        let in_layer = |layer: Option<&'a Layer>| {
            let pairs = layer.map(|layer| layer.table(table).range::<[u8], _>(range));
            pairs
                .into_iter()
                .flatten()
                .map(|(key, value)| Ok((key.as_slice().into(), value.clone())))
        };
        let deep = Merged::new(in_layer(self.frozen.as_deref()), base);
        let all = Merged::new(in_layer(Some(&self.active)), deep);
        Ok(all.filter_map(|entry| match entry {
            Ok((key, value)) => value.map(|value| Ok((key, value))),
            Err(error) => Some(Err(error)),
        }))
    }

    /// About how much memory the active layer takes.
    pub(crate) const fn active_bytes(&self) -> usize {
        self.active.bytes()
    }

    /// Whether a frozen layer is still being written.
    pub(crate) const fn is_flushing(&self) -> bool {
        self.frozen.is_some()
    }

    /// Freezes the active layer and gives it out to be written; `None` while the last one still is.
    pub(crate) fn freeze(&mut self, stamp: &impl Stamp) -> Result<Option<Arc<Layer>>, StoreError> {
        if self.frozen.is_some() {
            return Ok(None);
        }
        stamp.stamp(&mut self.active)?;
        let frozen = Arc::new(std::mem::take(&mut self.active));
        self.frozen = Some(Arc::clone(&frozen));
        Ok(Some(frozen))
    }

    /// The frozen layer, while it is being written.
    #[cfg(test)]
    pub(crate) fn frozen(&self) -> Option<Arc<Layer>> {
        self.frozen.clone()
    }

    /// The frozen layer is on disk.
    pub(crate) fn flushed(&mut self, base: Base) {
        self.base = Arc::new(base);
        self.frozen = None;
    }

    /// What is on disk.
    pub(crate) fn base(&self) -> Arc<Base> {
        Arc::clone(&self.base)
    }
}

type Entry = (Box<[u8]>, Option<Arc<[u8]>>);

/// Two ascending runs as one; where both have a key, the upper run's value counts.
struct Merged<U: Iterator, L: Iterator> {
    upper: Peekable<U>,
    lower: Peekable<L>,
}

impl<U, L> Merged<U, L>
where
    U: Iterator<Item = Result<Entry, StoreError>>,
    L: Iterator<Item = Result<Entry, StoreError>>,
{
    fn new(upper: U, lower: L) -> Self {
        Self {
            upper: upper.peekable(),
            lower: lower.peekable(),
        }
    }
}

impl<U, L> Iterator for Merged<U, L>
where
    U: Iterator<Item = Result<Entry, StoreError>>,
    L: Iterator<Item = Result<Entry, StoreError>>,
{
    type Item = Result<Entry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (Some(upper), Some(lower)) = (self.upper.peek(), self.lower.peek()) else {
            return self.upper.next().or_else(|| self.lower.next());
        };
        match (upper, lower) {
            (Ok((above, _)), Ok((below, _))) if above < below => self.upper.next(),
            (Ok((above, _)), Ok((below, _))) if above == below => {
                self.lower.next();
                self.upper.next()
            }
            (Err(_), _) => self.upper.next(),
            (Ok(_), _) => self.lower.next(),
        }
    }
}
